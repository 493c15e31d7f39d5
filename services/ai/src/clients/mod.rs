//! Providers of language models, each spoken to in its own protocol.
//!
//! What the [one model](crate::domain::chat) holds and how far each provider carries it. "Yes" is as it is, "≈" in the
//! nearest form, "warned" dropped with a warning, "refused" is [`Kind::Unsupported`], so that another route may serve it:
//! what the model must see is never dropped, what only tunes it is.
//!
//! | part of a request | OpenAI | Anthropic | Gemini |
//! | --- | --- | --- | --- |
//! | system and developer messages | yes; `developer` becomes `system` at other hosts than OpenAI's | `system`; those between turns stay there for callers of messages | `systemInstruction` |
//! | `name` of a message | yes | warned | warned |
//! | text | yes | yes | yes |
//! | image by URL / inline / file id | yes / yes / refused | yes / yes / yes | `fileData` / yes / `fileData` |
//! | `detail` of an image | yes | warned | warned |
//! | audio | yes | refused | `inlineData` |
//! | file by URL / inline / file id | refused / yes / yes | yes / PDF and plain text / yes | `fileData` / yes / `fileData` |
//! | `cache_control` | warned (it caches by itself) | yes | warned (it caches by itself) |
//! | tool calls and results | yes | yes | yes |
//! | images in tool results | ≈ a user message after the results | yes | yes |
//! | `is_error` of a tool result | warned | yes | `response.error` |
//! | thinking, its signature, redacted thinking | warned | yes (unsigned: warned) | ≈ `thought`, signature on the part it belongs to; redacted: warned |
//! | refusal | yes | ≈ text | ≈ text |
//! | functions, `strict` | yes | yes | yes; `strict` ≈ mode `VALIDATED` |
//! | tools of the provider's own | of the same family | of the same family | warned |
//! | `tool_choice` | yes | yes | yes |
//! | `parallel_tool_calls` | yes | `disable_parallel_tool_use` | warned when false |
//! | `max_tokens` | `max_completion_tokens` at OpenAI, `max_tokens` elsewhere | yes; always sent | `maxOutputTokens` |
//! | `temperature`, `top_p` | yes | by API version 2023-06-01; warned with thinking | yes |
//! | `top_k` | warned at OpenAI, sent elsewhere | as `temperature` | yes |
//! | penalties, `seed` | yes | warned | yes |
//! | `logit_bias` | yes | warned | warned |
//! | `n` | yes | refused above 1 | `candidateCount` |
//! | `logprobs` | yes | warned | yes |
//! | `stop` | yes | `stop_sequences` | `stopSequences` |
//! | JSON schema | yes | `output_config.format` | `responseJsonSchema` |
//! | JSON object | yes | ≈ a sentence in `system`, warned | `responseMimeType` |
//! | reasoning effort | yes | `output_config.effort`, adaptive thinking unless a tool is forced | `thinkingLevel`, before Gemini 3 a budget |
//! | reasoning budget | ≈ effort, warned | `thinking.budget_tokens` | `thinkingBudget` |
//! | `user` | yes | `metadata.user_id` | warned |
//! | `metadata` | yes | warned | warned |
//! | `extra` | of its own family | of its own family | warned |
//!
//! Of an answer, what tools of the provider's own made, citations, pictures and sound are not carried: with a warning in a
//! whole answer, without one in a stream, where it would come too late. Nor is what no protocol tells of when it is large.
//!
//! A stream always asks for its usage. Nothing here retries: that is routing's.

mod anthropic;
mod encode;
mod failure;
mod gemini;
pub mod memory;
mod openai;
mod refusal;
mod sse;
mod stream;
mod transport;
mod unknown;

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
    /// Most tokens of one answer of this model. Anthropic must be told a limit, so this is it when the caller gave none.
    pub max_output_tokens: Option<u32>,
    pub deadlines: Deadlines,
}

/// How long one attempt may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Until the first event of a stream. A whole answer comes all at once when it is done, so only `total` binds it.
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

#[cfg(test)]
mod tests;
