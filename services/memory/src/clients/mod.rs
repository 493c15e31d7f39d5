//! What leaves the process.

pub mod ai;
pub mod embeddings;
pub mod language_model;
pub mod reranker;
pub mod server;
