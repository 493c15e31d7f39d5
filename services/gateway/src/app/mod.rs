//! What the gateway does besides passing calls on.

pub mod description;
pub mod merge_openapi;
