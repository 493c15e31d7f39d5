//! What a call used, as it is recorded.

use chrono::{DateTime, Utc};
use contracts::{
    ApiKeyId, CompletionId, ModelId, OrgId, UserId,
    ai::v1::{CompletionFinished, TurnFinished, UsageRecorded},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{chat::StopReason, money::NanoUsd, turn::Turn};

/// Longest text of a record that came from a provider or a caller, in characters.
const LONGEST_TEXT: usize = 255;

/// What kind of work a model did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    Chat,
    Embeddings,
}

impl OperationKind {
    pub const ALL: [Self; 2] = [Self::Chat, Self::Embeddings];

    /// In the API, events and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

/// One call. Written once, never changed; holds ids and numbers, nothing of what was asked or answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    pub id: CompletionId,
    /// When the call ended.
    pub recorded_at: DateTime<Utc>,
    pub org: OrgId,
    pub user: UserId,
    pub api_key: Option<ApiKeyId>,
    /// The alias that the caller named.
    pub model: String,
    pub model_id: ModelId,
    /// `None` for an answer from the cache.
    pub provider: Option<String>,
    pub upstream_model: Option<String>,
    pub operation: OperationKind,
    /// The protocol of a chat.
    pub dialect: Option<String>,
    pub input_tokens: i64,
    pub cached_input_tokens: i64,
    pub cache_write_tokens: i64,
    pub output_tokens: i64,
    pub reasoning_tokens: i64,
    pub cost: NanoUsd,
    /// The tokens were counted here because the provider did not tell.
    pub estimated: bool,
    /// No provider was called for it.
    pub cached: bool,
    pub streamed: bool,
    /// `completed`, `client_left`, `failed`.
    pub outcome: String,
    pub stop_reason: Option<String>,
    pub time_to_first_token_ms: Option<i32>,
    pub duration_ms: i32,
    pub attempts: i32,
    pub session_id: Option<String>,
    /// Of the call, for its events.
    pub traceparent: Option<String>,
}

impl UsageRecord {
    /// The event that tells of the usage.
    pub fn usage_recorded(&self) -> UsageRecorded {
        let tokens = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        UsageRecorded {
            completion_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: self.user.to_string(),
            api_key_id: self.api_key.map(|id| id.to_string()),
            model: self.model.clone(),
            provider: self.provider.clone(),
            operation: self.operation.as_str().to_owned(),
            input_tokens: tokens(self.input_tokens),
            cached_input_tokens: tokens(self.cached_input_tokens),
            output_tokens: tokens(self.output_tokens),
            cost_nano_usd: self.cost.0,
            estimated: self.estimated,
            recorded_at: Some(self.recorded_at.into()),
        }
    }

    /// The event that tells that a chat answer came to its end; `None` for other work.
    pub fn completion_finished(&self) -> Option<CompletionFinished> {
        let dialect = self.dialect.clone()?;
        let ms = |ms: i32| u32::try_from(ms).unwrap_or_default();
        Some(CompletionFinished {
            completion_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: self.user.to_string(),
            api_key_id: self.api_key.map(|id| id.to_string()),
            model: self.model.clone(),
            provider: self.provider.clone(),
            dialect,
            outcome: self.outcome.clone(),
            stop_reason: self.stop_reason.clone(),
            streamed: self.streamed,
            time_to_first_token_ms: self.time_to_first_token_ms.map(ms),
            duration_ms: ms(self.duration_ms),
            finished_at: Some(self.recorded_at.into()),
            session_id: self.session_id.clone(),
        })
    }

    /// The event that tells that this call was a turn to be remembered.
    pub fn turn_finished(&self, turn: &Turn) -> TurnFinished {
        TurnFinished {
            completion_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            user_id: self.user.to_string(),
            session_id: turn.session.clone(),
            finished_at: Some(self.recorded_at.into()),
        }
    }
}

/// The reason in records and events. What only one provider knows is called by its own word.
pub fn stop_reason(stop: &StopReason) -> String {
    let word = match stop {
        StopReason::End => "end",
        StopReason::Length => "length",
        StopReason::StopSequence => "stop_sequence",
        StopReason::ToolCalls => "tool_calls",
        StopReason::ContentFilter => "content_filter",
        StopReason::Refusal => "refusal",
        StopReason::Other(word) => word,
    };
    text(word)
}

/// A text from outside in a form that can be stored: no NUL, and no longer than it needs to be.
pub fn text(given: &str) -> String {
    given.chars().filter(|c| *c != '\0').take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_can_be_stored() {
        assert_eq!(text("gpt\0-5"), "gpt-5");
        assert_eq!(text(&"ü".repeat(400)).chars().count(), 255);
        assert_eq!(stop_reason(&StopReason::Other("pause\0_turn".into())), "pause_turn");
    }
}
