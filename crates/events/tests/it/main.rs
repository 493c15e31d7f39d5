//! The promise of the crate, tried against real servers: 0 acknowledged changes lost, 0 effects twice.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chaos;
mod consumer;
mod dead_letters;
mod relay;
mod retries;
mod revocations;
mod support;
mod transient;
