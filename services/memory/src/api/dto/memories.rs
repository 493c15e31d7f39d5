//! Memories on the wire.

use chrono::{DateTime, Utc};
use contracts::{MemoryId, MemorySessionId, MessageId, UserId};
use kit::http::{Limit, Page, Patch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{a_label, a_patched_label, check, named, owner, some_metadata, some_tags};
use crate::{
    app::add_memory::Remembered,
    domain::{
        access::{Allowed, Read, Refused, Write},
        memory::{Change, Memory, MemoryChange, NewMemory, Source, Turn, Wanted},
        session::Belonging,
    },
    error::Error,
};

const TEXT_CHARS: usize = 8_000;

/// Something that is remembered.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryView {
    /// The memory's id.
    pub id: Uuid,
    /// Whose it is: the id of a member, or a name that an application gives its users; `null` is shared by the organization.
    #[schema(example = "customer-7")]
    pub user: Option<String>,
    /// The agent it belongs to.
    #[schema(example = "support")]
    pub agent: Option<String>,
    /// The session it belongs to.
    pub session_id: Option<Uuid>,
    /// The project it belongs to.
    pub project_id: Option<Uuid>,
    /// What is remembered.
    #[schema(example = "Lives in Lisbon.")]
    pub text: String,
    /// Where it comes from.
    pub source: Source,
    /// The turns that it was taken from.
    pub source_message_ids: Vec<Uuid>,
    /// How sure it is, from 0 to 1.
    #[schema(example = 1.0)]
    pub confidence: f32,
    /// It holds from here, …
    pub valid_from: DateTime<Utc>,
    /// … to here (exclusive); `null` while it does.
    pub valid_to: Option<DateTime<Utc>>,
    /// The memory that holds instead.
    pub superseded_by: Option<Uuid>,
    /// When it will be forgotten.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it comes before what is as good.
    pub pinned: bool,
    /// What it is about, in the client's own words.
    #[schema(example = json!(["home"]))]
    pub tags: Vec<String>,
    /// Anything that the client wants to keep with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// Grows by one with each change; also the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Memory> for MemoryView {
    fn from(memory: Memory) -> Self {
        Self {
            id: memory.id.uuid(),
            user: memory.belonging.subject,
            agent: memory.belonging.agent,
            session_id: memory.session.map(MemorySessionId::uuid),
            project_id: memory.belonging.project,
            text: memory.text,
            source: memory.source,
            source_message_ids: memory.source_messages.into_iter().map(MessageId::uuid).collect(),
            confidence: memory.confidence,
            valid_from: memory.valid_from,
            valid_to: memory.valid_to,
            superseded_by: memory.superseded_by.map(MemoryId::uuid),
            expires_at: memory.expires_at,
            pinned: memory.pinned,
            tags: memory.tags,
            metadata: memory.metadata,
            version: memory.version,
            created_at: memory.created_at,
            updated_at: memory.updated_at,
        }
    }
}

/// Several things to be remembered, all of them or none.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoriesCreate {
    /// 1 to 100 memories.
    #[schema(min_items = 1, max_items = 100)]
    #[validate(length(min = 1, max = 100, message = "Give 1 to 100 memories."), nested)]
    pub memories: Vec<MemoryCreate>,
}

impl MemoriesCreate {
    /// Each with what it supersedes.
    pub fn into_parts(self, allowed: &Allowed<Write>) -> Result<Vec<(NewMemory, Vec<MemoryId>)>, Refused> {
        self.memories.into_iter().map(|memory| memory.into_parts(allowed)).collect()
    }
}

/// What became of several memories.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoriesView {
    /// One for each, in their order.
    pub items: Vec<RememberedView>,
}

/// What became of one of several memories.
#[derive(Debug, Serialize, ToSchema)]
pub struct RememberedView {
    /// The memory's id.
    pub id: Uuid,
    /// Whether it is remembered from now on, or was already.
    pub outcome: Outcome,
    /// The memory's version.
    #[schema(example = 1)]
    pub version: i64,
}

/// What became of something to be remembered.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is remembered from now on.
    Added,
    /// The same was remembered already.
    Known,
}

impl From<Remembered> for RememberedView {
    fn from(remembered: Remembered) -> Self {
        let outcome = if remembered.is_new { Outcome::Added } else { Outcome::Known };
        Self { id: remembered.memory.id.uuid(), outcome, version: remembered.memory.version }
    }
}

/// Something to be remembered.
// Written as well as read, because `validator` keeps what it refuses.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryCreate {
    /// Whose it is; yours when absent, the organization's when `null`. `me` is you.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "me", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_patched_label"))]
    pub user: Patch<String>,
    /// The agent it belongs to.
    #[schema(example = "support", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent: Option<String>,
    /// The session it belongs to, and with which it is forgotten.
    pub session_id: Option<Uuid>,
    /// The project it belongs to.
    pub project_id: Option<Uuid>,
    /// What is to be remembered, best a sentence that can be understood alone: 1 to 8000 characters.
    #[schema(example = "Lives in Lisbon.", min_length = 1, max_length = 8000)]
    #[validate(custom(function = "a_text"))]
    pub text: String,
    /// The turns that it was taken from.
    #[serde(default)]
    #[schema(max_items = 100)]
    #[validate(length(max = 100, message = "Give at most 100 turns."))]
    pub source_message_ids: Vec<Uuid>,
    /// How sure it is, from 0 to 1.
    #[serde(default = "certain")]
    #[schema(minimum = 0, maximum = 1, default = 1.0)]
    #[validate(custom(function = "a_share"))]
    pub confidence: f32,
    /// Since when it holds; now when absent.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it holds (exclusive), if that is known.
    pub valid_to: Option<DateTime<Utc>>,
    /// When it is to be forgotten.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it comes before what is as good.
    #[serde(default)]
    pub pinned: bool,
    /// Up to 32.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["home"]))]
    #[validate(custom(function = "some_tags"))]
    pub tags: Vec<String>,
    /// Up to 32 fields and 8 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
    /// Memories that do not hold any more because this one does.
    #[serde(default)]
    #[schema(max_items = 20)]
    #[validate(length(max = 20, message = "Give at most 20 memories."))]
    pub supersedes: Vec<Uuid>,
}

impl MemoryCreate {
    /// What is to be remembered, and what it supersedes.
    pub fn into_parts(self, allowed: &Allowed<Write>) -> Result<(NewMemory, Vec<MemoryId>), Refused> {
        let subject = owner(self.user, allowed)?;
        let new = NewMemory {
            belonging: Belonging { subject, agent: self.agent, project: self.project_id },
            session: self.session_id.map(MemorySessionId::from_uuid),
            text: self.text.trim().to_owned(),
            source: Source::Stated,
            source_messages: self.source_message_ids.into_iter().map(MessageId::from_uuid).collect(),
            confidence: self.confidence,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            expires_at: self.expires_at,
            pinned: self.pinned,
            tags: self.tags,
            metadata: self.metadata,
        };
        Ok((new, self.supersedes.into_iter().map(MemoryId::from_uuid).collect()))
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryPatch {
    /// What is remembered: 1 to 8000 characters.
    #[schema(nullable = false, example = "Lives in Porto.", min_length = 1, max_length = 8000)]
    #[validate(custom(function = "a_text"))]
    pub text: Option<String>,
    /// How sure it is, from 0 to 1.
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    #[validate(custom(function = "a_share"))]
    pub confidence: Option<f32>,
    /// Since when it holds.
    #[schema(nullable = false)]
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it holds (exclusive); `null` while it does.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub valid_to: Patch<DateTime<Utc>>,
    /// When it is to be forgotten; `null` for never.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub expires_at: Patch<DateTime<Utc>>,
    /// Whether it comes before what is as good.
    #[schema(nullable = false)]
    pub pinned: Option<bool>,
    /// Take the place of all tags that there are.
    #[schema(nullable = false, max_items = 32)]
    #[validate(custom(function = "some_tags"))]
    pub tags: Option<Vec<String>>,
    /// Takes the place of all metadata that there is.
    #[schema(nullable = false, value_type = Option<Object>)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Option<Map<String, Value>>,
}

impl MemoryPatch {
    pub fn into_change(self) -> MemoryChange {
        MemoryChange {
            text: self.text.map(|text| text.trim().to_owned()),
            confidence: self.confidence,
            valid_from: self.valid_from,
            valid_to: self.valid_to.into_nested(),
            expires_at: self.expires_at.into_nested(),
            pinned: self.pinned,
            tags: self.tags,
            metadata: self.metadata,
        }
    }
}

/// Which memories are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MemoryQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
    /// Only those of this user; `me` is you.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub user: Option<String>,
    /// Only those of this agent.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub agent: Option<String>,
    /// Only those of this session.
    pub session_id: Option<Uuid>,
    /// Only those of this project.
    pub project_id: Option<Uuid>,
    /// Only those with this tag.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub tag: Option<String>,
    /// Only those that held at this moment. Without it, those that do not hold any more are listed too.
    pub as_of: Option<DateTime<Utc>>,
}

impl MemoryQuery {
    pub fn into_parts(self, allowed: &Allowed<Read>) -> Result<(Page, Wanted), Error> {
        let wanted = Wanted {
            subject: named(self.user.as_deref(), allowed)?,
            agent: self.agent,
            session: self.session_id.map(MemorySessionId::from_uuid),
            project: self.project_id,
            tag: self.tag,
            as_of: self.as_of,
        };
        Ok((Page::new(self.limit, self.cursor), wanted))
    }
}

/// One turn of a memory's history.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryHistoryView {
    /// The memory's version after it.
    #[schema(example = 2)]
    pub version: i64,
    /// What happened.
    pub change: Change,
    /// What was remembered before.
    pub old_text: Option<String>,
    /// What is remembered since; of a memory that was superseded, by the one that holds instead.
    pub new_text: Option<String>,
    /// Who did it; `null` for the system.
    pub actor_id: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}

impl From<Turn> for MemoryHistoryView {
    fn from(turn: Turn) -> Self {
        Self {
            version: turn.version,
            change: turn.change,
            old_text: turn.old_text,
            new_text: turn.new_text,
            actor_id: turn.actor.map(UserId::uuid),
            at: turn.at,
        }
    }
}

fn certain() -> f32 {
    1.0
}

pub(super) fn a_text(text: &str) -> Result<(), ValidationError> {
    let fine = text.chars().count() <= TEXT_CHARS && !text.trim().is_empty();
    check(fine, "length", "Give it 1 to 8000 characters, at least one of them visible.")
}

pub(super) fn a_share(share: f32) -> Result<(), ValidationError> {
    check((0.0..=1.0).contains(&share), "range", "Give a number from 0 to 1.")
}
