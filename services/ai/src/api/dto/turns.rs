//! Turns on the wire.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::turn::{Finished, Said, Speaker};

/// What was said in a call that is to be remembered.
#[derive(Serialize, ToSchema)]
pub struct TurnView {
    /// Who called, or whose key it was.
    pub user_id: Uuid,
    /// Which of an application's users talked; `null`: who called.
    pub user: Option<String>,
    /// The conversation, as the caller calls it.
    pub session_id: String,
    /// The alias of the model that answered.
    pub model: String,
    /// What was said since the model spoke last, and its answer.
    pub messages: Vec<SaidView>,
    /// When the answer ended.
    pub finished_at: DateTime<Utc>,
}

/// A message of a turn.
#[derive(Serialize, ToSchema)]
pub struct SaidView {
    /// Who speaks.
    pub role: Speaker,
    /// The name that the caller gives who speaks.
    pub author: Option<String>,
    /// The words.
    pub content: String,
    /// The model's calls of tools, in OpenAI's form.
    pub tool_calls: Option<Value>,
    /// The call that a tool answers.
    pub tool_call_id: Option<String>,
    /// The answer did not come to its end.
    pub interrupted: bool,
}

impl From<Finished> for TurnView {
    fn from(finished: Finished) -> Self {
        let Finished { by, model, turn, at } = finished;
        Self {
            user_id: by.uuid(),
            user: turn.user,
            session_id: turn.session,
            model,
            messages: turn.messages.into_iter().map(Into::into).collect(),
            finished_at: at,
        }
    }
}

impl From<Said> for SaidView {
    fn from(said: Said) -> Self {
        let Said { role, author, content, tool_calls, tool_call_id, interrupted } = said;
        Self { role, author, content, tool_calls, tool_call_id, interrupted }
    }
}
