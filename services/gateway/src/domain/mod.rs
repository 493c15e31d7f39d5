//! Rules without I/O.

pub mod path;
pub mod route;
pub mod service;
