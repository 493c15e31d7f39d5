//! The ai service over HTTP, SQL and the broker, each test with a database and an exchange of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says so when it fails")]

mod bad_input;
mod cache;
mod chat;
mod embeddings;
mod failures;
mod headers;
mod ledger;
mod ledger_world;
mod migrations;
mod models;
mod overload;
mod spool;
mod streaming;
mod world;
