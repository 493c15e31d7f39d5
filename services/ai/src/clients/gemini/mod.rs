//! gemini.
use super::{Attempt, ChatStream, Failure, Providers};
use crate::domain::{
    chat::{ChatRequest, Completion},
    embedding::{EmbeddingRequest, Embeddings},
    provider::Provider,
};
use std::time::Duration;

pub(super) async fn complete(_: &Providers, _: Attempt<'_>, _: &ChatRequest) -> Result<Completion, Failure> {
    Err(Failure::unsupported("adapter"))
}
pub(super) async fn stream(_: &Providers, _: Attempt<'_>, _: &ChatRequest) -> Result<ChatStream, Failure> {
    Err(Failure::unsupported("adapter"))
}
pub(super) async fn embed(_: &Providers, _: Attempt<'_>, _: &EmbeddingRequest) -> Result<Embeddings, Failure> {
    Err(Failure::unsupported("adapter"))
}
pub(super) async fn models(_: &Providers, _: &Provider, _: Duration) -> Result<Vec<String>, Failure> {
    Err(Failure::unsupported("adapter"))
}
