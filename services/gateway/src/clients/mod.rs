//! Calls that the gateway makes on its own account.

pub mod auth;
pub mod private;
