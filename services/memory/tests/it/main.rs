//! The memory service over HTTP, SQL, the broker and the disk, each test with a database, an exchange and an index of its own.

#![expect(clippy::unwrap_used, reason = "a test says so when it fails")]

mod access;
mod bulk;
mod collections;
mod context;
mod documents;
mod forget;
mod interruptions;
mod memories;
mod messages;
mod migrations;
mod openapi;
mod recovery;
mod row_level_security;
mod search;
mod sessions;
mod support;
mod transfer;
