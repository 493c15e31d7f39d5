//! Rows and the queries on them: plain functions on a connection, whose transaction says what they may see.

pub mod api_keys;
pub mod attempts;
pub mod credentials;
pub mod memberships;
pub mod refresh_tokens;
pub mod revocations;
#[rustfmt::skip]
mod schema;
pub mod sessions;
pub mod signing_keys;
pub mod users;
