//! The protocols that callers speak, translated to and from the [one model](crate::domain::chat). Pure: no I/O, no state
//! but the encoder's own.

mod chat_completions;
pub mod embeddings;
pub mod error;
mod messages;
pub mod models;
mod read;
mod responses;
mod write;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::{
    chat::{ChatEvent, ChatRequest, Completion, Dialect},
    warnings::Warnings,
};
pub use error::{ApiError, ErrorType};
pub use read::brainops::{LONGEST_SESSION_ID, LONGEST_USER, MOST_MEMORIES, check as check_brainops};

/// What an answer says about itself.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Ours, without the protocol's prefix (`chatcmpl-`, `resp_`, `msg_`): a UUID in simple form.
    pub id: String,
    pub created: DateTime<Utc>,
    /// The alias that the caller named.
    pub model: String,
}

/// Reads a request. The error names the field at fault in the words of the dialect. `Warnings` names what was understood
/// but cannot be carried at all.
pub fn parse(dialect: Dialect, body: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    match dialect {
        Dialect::ChatCompletions => chat_completions::parse(body),
        Dialect::Responses => responses::parse(body),
        Dialect::Messages => messages::parse(body),
    }
}

/// Reads a request of Anthropic's `/v1/messages/count_tokens`: that of messages, without the need for `max_tokens`.
pub fn parse_count_tokens(body: Value) -> Result<(ChatRequest, Warnings), ApiError> {
    messages::parse_count(body)
}

/// A whole answer in the caller's dialect.
pub fn render(request: &ChatRequest, completion: &Completion, envelope: &Envelope) -> Value {
    match request.dialect {
        Dialect::ChatCompletions => chat_completions::render(request, completion, envelope),
        Dialect::Responses => responses::render(request, completion, envelope),
        Dialect::Messages => messages::render(request, completion, envelope),
    }
}

/// Turns the events of one answer into server-sent events of the caller's dialect.
pub trait Encoder: Send {
    /// The bytes for one event; may be empty. [`ChatEvent::Ended`] gives the dialect's end (`[DONE]`,
    /// `response.completed`, `message_stop`).
    fn encode(&mut self, event: &ChatEvent) -> Bytes;

    /// The dialect's error event, after which nothing follows.
    fn fail(&mut self, error: &ApiError) -> Bytes;
}

/// The encoder of the request's dialect.
pub fn encoder(request: &ChatRequest, envelope: Envelope) -> Box<dyn Encoder> {
    match request.dialect {
        Dialect::ChatCompletions => chat_completions::encoder(request, envelope),
        Dialect::Responses => responses::encoder(request, &envelope),
        Dialect::Messages => messages::encoder(request, envelope),
    }
}
