//! Types and rules. Nothing here performs I/O.

pub mod access;
pub mod widget;
