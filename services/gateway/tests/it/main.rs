//! The gateway against real local servers that check what they are sent.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod api_keys;
mod balancing;
mod compression;
mod configuration;
mod cors;
mod docs;
mod error_codes;
mod failures;
mod headers;
mod health;
mod identity;
mod limits;
mod models;
mod paths;
mod rates;
mod revocation;
mod smuggling;
mod streaming;
mod support;
mod uploads;
