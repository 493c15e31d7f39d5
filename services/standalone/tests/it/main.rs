//! The whole system as an operator runs it: the real binary, its own PostgreSQL and RabbitMQ, real HTTP and real signals.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bad_starts;
mod commands;
mod documentation;
mod extraction;
mod foreign_consumer;
mod golden_path;
mod kills;
mod log_lines;
mod mcp_hosts;
mod mem0_client;
mod public_routes;
mod sdks;
mod smuggling;
mod support;
mod vectors;
mod whole_system;
