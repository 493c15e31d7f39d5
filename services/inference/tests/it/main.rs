//! The inference service over HTTP, with the models that `scripts/fetch-models.sh --bundled` fetches.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so when it fails")]

mod chat;
mod embeddings;
mod errors;
mod json_output;
mod load;
mod openapi;
mod server;
mod start;
mod templates;
