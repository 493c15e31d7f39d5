//! Facts are taken from what people say. What is given for that beside all sessions is kept until it is done.

use chrono::{DateTime, Utc};
use contracts::{ExtractionId, MemoryId, MemorySessionId, MessageId, OrgId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    memory::{NewMemory, Source},
    session::Belonging,
};

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// A name, or a role such as `user`.
    pub speaker: String,
    pub at: DateTime<Utc>,
    pub text: String,
}

/// What all facts of some turns have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub belonging: Belonging,
    pub session: Option<MemorySessionId>,
    /// Beside the turns themselves.
    pub source_messages: Vec<MessageId>,
    /// Since the fact was said, when absent.
    pub valid_from: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub pinned: bool,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
}

impl Frame {
    /// A fact in this frame, said `at`.
    pub fn memory(&self, text: String, confidence: f32, at: DateTime<Utc>) -> NewMemory {
        let frame = self.clone();
        NewMemory {
            belonging: frame.belonging,
            session: frame.session,
            text,
            source: Source::Extracted,
            source_messages: frame.source_messages,
            confidence,
            valid_from: Some(frame.valid_from.unwrap_or(at)),
            valid_to: None,
            expires_at: frame.expires_at,
            pinned: frame.pinned,
            tags: frame.tags,
            metadata: frame.metadata,
        }
    }
}

/// Turns to take facts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    pub frame: Frame,
    pub turns: Vec<Turn>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExtractionStatus)]
pub enum Status {
    /// Some turns wait for the language model.
    Waiting,
    /// What there was to take is remembered.
    Done,
    /// The language model did not do it.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Done, Self::Failed];

    /// The word in columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// What becomes of turns that were given.
#[derive(Clone, Debug, PartialEq)]
pub struct Extraction {
    pub id: ExtractionId,
    pub org: OrgId,
    /// Whose the facts are.
    pub subject: Option<String>,
    pub status: Status,
    /// What came of it so far.
    pub memories: Vec<MemoryId>,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
