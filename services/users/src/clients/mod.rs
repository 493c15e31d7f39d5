//! What this service asks of others, each behind a trait.

pub mod auth;
