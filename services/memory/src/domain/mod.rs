//! Types and rules. Nothing here performs I/O.

pub mod access;
pub mod entry;
pub mod filter;
pub mod memory;
pub mod message;
pub mod session;
pub mod space;
pub mod tokens;
