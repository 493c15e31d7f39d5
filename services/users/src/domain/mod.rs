//! Types and rules of people and organizations. Nothing here performs I/O.

pub mod access;
pub mod membership;
pub mod organization;
pub mod profile;
