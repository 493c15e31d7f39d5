//! Providers of language models, each spoken to in its own protocol.

mod anthropic;
mod failure;
mod gemini;
mod openai;

use std::time::Duration;

use futures_util::stream::BoxStream;

pub use failure::{Failure, Kind};

use crate::domain::{
    chat::{ChatEvent, ChatRequest, Completion},
    embedding::{EmbeddingRequest, Embeddings},
    provider::{Provider, ProviderKind},
};

/// One attempt: where to, under which name, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub provider: &'a Provider,
    /// The provider's name of the model.
    pub model: &'a str,
    pub deadlines: Deadlines,
}

/// How long one attempt may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Until the head of the answer and, for a stream, its first event.
    pub first_byte: Duration,
    /// Between two events of a stream (a provider's heartbeats count).
    pub idle: Duration,
    /// The whole attempt; a stream has none.
    pub total: Duration,
}

/// A streamed answer. Its last item is [`ChatEvent::Ended`] or an error, never neither; dropping it ends the call at the
/// provider.
pub type ChatStream = BoxStream<'static, Result<ChatEvent, Failure>>;

/// Calls providers. Cheap to clone.
#[derive(Clone)]
pub struct Providers {
    /// For providers that the operator configured.
    trusted: reqwest::Client,
    /// For URLs that organizations gave.
    guarded: kit::Outbound,
}

impl Providers {
    pub fn new(guarded: kit::Outbound) -> Self {
        Self { trusted: kit::outbound::plain_client(), guarded }
    }

    /// The whole answer at once.
    pub async fn complete(&self, attempt: Attempt<'_>, request: &ChatRequest) -> Result<Completion, Failure> {
        match attempt.provider.kind {
            ProviderKind::Openai => openai::complete(self, attempt, request).await,
            ProviderKind::Anthropic => anthropic::complete(self, attempt, request).await,
            ProviderKind::Gemini => gemini::complete(self, attempt, request).await,
        }
    }

    /// The answer as it is made. Returns with the first event at hand, so that an error before it can still be retried.
    pub async fn stream(&self, attempt: Attempt<'_>, request: &ChatRequest) -> Result<ChatStream, Failure> {
        match attempt.provider.kind {
            ProviderKind::Openai => openai::stream(self, attempt, request).await,
            ProviderKind::Anthropic => anthropic::stream(self, attempt, request).await,
            ProviderKind::Gemini => gemini::stream(self, attempt, request).await,
        }
    }

    /// One vector for each input. Anthropic has no embeddings: [`Kind::Unsupported`].
    pub async fn embed(&self, attempt: Attempt<'_>, request: &EmbeddingRequest) -> Result<Embeddings, Failure> {
        match attempt.provider.kind {
            ProviderKind::Openai => openai::embed(self, attempt, request).await,
            ProviderKind::Anthropic => Err(Failure::unsupported("embeddings")),
            ProviderKind::Gemini => gemini::embed(self, attempt, request).await,
        }
    }

    /// The provider's own names of its models, and thereby whether the key is good and the URL right.
    pub async fn models(&self, provider: &Provider, deadline: Duration) -> Result<Vec<String>, Failure> {
        match provider.kind {
            ProviderKind::Openai => openai::models(self, provider, deadline).await,
            ProviderKind::Anthropic => anthropic::models(self, provider, deadline).await,
            ProviderKind::Gemini => gemini::models(self, provider, deadline).await,
        }
    }
}
