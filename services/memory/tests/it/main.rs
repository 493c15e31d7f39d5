//! The memory service over HTTP, SQL, the broker and the disk, each test with a database, an exchange and an index of its own.

#![expect(clippy::unwrap_used, reason = "a test says so when it fails")]

mod access;
mod bulk;
mod chats;
mod collections;
mod context;
mod documents;
mod extraction;
mod fake_ai;
mod fake_reranker;
mod forget;
mod interruptions;
mod mcp;
mod mem0;
mod memories;
mod messages;
mod migrations;
mod openapi;
mod rebuilds;
mod recovery;
mod rerank;
mod row_level_security;
mod search;
mod sessions;
mod summaries;
mod support;
mod transfer;
