//! The lines of an export, and their rules: those of the ordinary routes.

use chrono::{DateTime, Utc};
use kit::http::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use crate::{
    api::dto::{
        a_label, a_patched_label, a_title, check,
        memories::{a_share, a_text},
        messages::{a_content, some_tool_calls},
        sessions::an_external_id,
        some_metadata, some_tags,
    },
    domain::{memory::Source, message::Role},
};

/// One line of an export.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TransferLine {
    /// A conversation.
    Session(SessionLine),
    /// A turn of a conversation.
    Message(MessageLine),
    /// Something that is remembered.
    Memory(MemoryLine),
}

/// A conversation.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionLine {
    /// The session's id.
    pub id: Uuid,
    /// Whose it is; yours when absent, the organization's when `null`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    #[validate(custom(function = "a_patched_label"))]
    pub user: Patch<String>,
    /// The agent that takes part.
    #[schema(max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent: Option<String>,
    /// The project it is about.
    pub project_id: Option<Uuid>,
    /// What the client calls it; unique for its user.
    #[schema(max_length = 255)]
    #[validate(custom(function = "an_external_id"))]
    pub external_id: Option<String>,
    /// Its name for people.
    #[schema(max_length = 200)]
    #[validate(custom(function = "a_title"))]
    pub title: Option<String>,
    /// Anything that the client wants to keep with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
    /// What it was about, when it was summarized.
    #[schema(max_length = 32_768)]
    #[validate(custom(function = "a_summary"))]
    pub summary: Option<String>,
    /// The first place that the summary does not cover.
    #[validate(custom(function = "a_place"))]
    pub summarized_to: Option<i64>,
    /// The session that it branched off from. It is taken over when that session is there and of the same user.
    pub forked_from: Option<Uuid>,
    /// The first place that is its own.
    #[validate(custom(function = "a_place"))]
    pub forked_at: Option<i64>,
    /// When it began; now when absent.
    pub created_at: Option<DateTime<Utc>>,
}

/// A turn of a conversation.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "says_something"))]
pub struct MessageLine {
    /// The turn's id.
    pub id: Uuid,
    /// The session it was said in.
    pub session_id: Uuid,
    /// Its place in the session, from 0.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 3)]
    #[validate(custom(function = "a_place"))]
    pub position: i64,
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks.
    #[schema(max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub author: Option<String>,
    /// What was said.
    #[serde(default)]
    #[schema(max_length = 131_072)]
    #[validate(custom(function = "a_content"))]
    pub content: String,
    /// Calls of tools, as the chat protocol has them.
    #[schema(value_type = Option<Vec<Object>>)]
    #[validate(custom(function = "some_tool_calls"))]
    pub tool_calls: Option<Value>,
    /// The call that a tool's turn answers.
    #[schema(max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub tool_call_id: Option<String>,
    /// The turn that it answers, when that is not the one before.
    pub parent_id: Option<Uuid>,
    /// The call of a model that said it.
    pub completion_id: Option<Uuid>,
    /// Anything that the client wants to keep with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
    /// When it was said; now when absent.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// Something that is remembered.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "ends_after_it_begins"))]
pub struct MemoryLine {
    /// The memory's id.
    pub id: Uuid,
    /// Whose it is; yours when absent, the organization's when `null`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 128)]
    #[validate(custom(function = "a_patched_label"))]
    pub user: Patch<String>,
    /// The agent it belongs to.
    #[schema(max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent: Option<String>,
    /// The session it belongs to.
    pub session_id: Option<Uuid>,
    /// The project it belongs to.
    pub project_id: Option<Uuid>,
    /// What is remembered.
    #[schema(example = "Lives in Lisbon.", min_length = 1, max_length = 8000)]
    #[validate(custom(function = "a_text"))]
    pub text: String,
    /// Where it comes from; `imported` for everything that an import brings.
    #[serde(default = "imported")]
    pub source: Source,
    /// The turns that it was taken from.
    #[serde(default)]
    #[schema(max_items = 100)]
    #[validate(length(max = 100, message = "Give at most 100 turns."))]
    pub source_message_ids: Vec<Uuid>,
    /// How sure it is, from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    #[validate(custom(function = "a_share"))]
    pub confidence: Option<f32>,
    /// It holds from here, …
    pub valid_from: Option<DateTime<Utc>>,
    /// … to here (exclusive); `null` while it does.
    pub valid_to: Option<DateTime<Utc>>,
    /// The memory that holds instead.
    pub superseded_by: Option<Uuid>,
    /// When it will be forgotten.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it comes before what is as good.
    #[serde(default)]
    pub pinned: bool,
    /// What it is about, in the client's own words.
    #[serde(default)]
    #[schema(max_items = 32)]
    #[validate(custom(function = "some_tags"))]
    pub tags: Vec<String>,
    /// Anything that the client wants to keep with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
    /// When it was added; now when absent.
    pub created_at: Option<DateTime<Utc>>,
}

fn imported() -> Source {
    Source::Imported
}

fn a_place(position: i64) -> Result<(), ValidationError> {
    check((0..=1_000_000_000).contains(&position), "range", "Give a number from 0 to 1000000000.")
}

fn a_summary(text: &str) -> Result<(), ValidationError> {
    check(text.len() <= 32 * 1024, "length", "Give it at most 32768 bytes.")
}

fn says_something(message: &MessageLine) -> Result<(), ValidationError> {
    let fine = !message.content.trim().is_empty() || message.tool_calls.is_some();
    check(fine, "empty", "A turn has content, or calls of tools.")
}

fn ends_after_it_begins(memory: &MemoryLine) -> Result<(), ValidationError> {
    let fine = memory.valid_from.zip(memory.valid_to).is_none_or(|(from, to)| from <= to);
    check(fine, "before_valid_from", "valid_to must not be before valid_from.")
}
