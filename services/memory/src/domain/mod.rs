//! Types and rules. Nothing here performs I/O.

pub mod access;
pub mod collection;
pub mod document;
pub mod entry;
pub mod extraction;
pub mod filter;
pub mod forgetting;
pub mod memory;
pub mod message;
pub mod rebuild;
pub mod recalled;
pub mod selection;
pub mod session;
pub mod space;
pub mod tokens;
pub mod transfer;
