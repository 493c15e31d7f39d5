//! The ai service over HTTP, SQL and the broker, each test with a database and an exchange of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so when it fails")]

mod access;
mod bad_input;
mod cache;
mod catalog;
mod chat;
mod embeddings;
mod failures;
mod fake_memory;
mod headers;
mod ledger;
mod ledger_world;
mod limits;
mod managed_models;
mod migrations;
mod models;
mod openapi;
mod overload;
mod providers;
mod quotas;
mod remembered;
mod row_level_security;
mod spool;
mod streaming;
mod support;
mod usage;
mod world;
