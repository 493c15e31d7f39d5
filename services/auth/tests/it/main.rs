//! The auth service over HTTP, SQL and the broker, each test with a database and an exchange of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so when it fails")]

mod access;
mod api_key_exchange;
mod api_key_lineage;
mod api_key_owners;
mod api_key_rules;
mod api_keys;
mod bad_input;
mod enumeration;
mod events;
mod internal;
mod keys;
mod login;
mod migrations;
mod openapi;
mod password;
mod refresh;
mod registration;
mod row_level_security;
mod secrets;
mod sessions;
mod support;
