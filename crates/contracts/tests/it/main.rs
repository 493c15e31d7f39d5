//! What the contracts promise, seen from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where its expectation fails")]

mod cloud_event;
mod events;
mod ids;
mod roles;
mod samples;
mod timestamp;
