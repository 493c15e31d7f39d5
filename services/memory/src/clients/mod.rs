//! What leaves the process.

pub mod embeddings;
