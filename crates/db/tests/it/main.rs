//! The database crate against a real Postgres, with the real roles. Every test has a database of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where its expectation fails")]

mod audit;
mod errors;
mod exclusive;
mod idempotency;
mod inbox;
mod migrations;
mod outbox;
mod pool;
mod provisioning;
mod row_level_security;
mod support;
mod upkeep;
