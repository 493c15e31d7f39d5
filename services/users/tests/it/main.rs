//! The users service over HTTP, SQL and the broker, each test with a database and an exchange of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says so when it fails")]

mod access;
mod events;
mod migrations;
mod openapi;
mod organizations;
mod profile;
mod row_level_security;
mod shapes;
mod support;
