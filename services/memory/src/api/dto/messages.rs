//! Turns on the wire.

use chrono::{DateTime, Utc};
use contracts::MessageId;
use kit::http::{Limit, Page};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{a_label, check, some_metadata};
use crate::domain::message::{Message, NewMessage, Role};

/// Turns of one request.
const MESSAGES: usize = 100;
/// Bytes of one turn.
const CONTENT_BYTES: usize = 128 * 1024;
const TOOL_CALLS_BYTES: usize = 32 * 1024;

/// A turn of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageView {
    /// The turn's id.
    pub id: Uuid,
    /// The session it was said in; of a fork's earlier turns the one that it came from.
    pub session_id: Uuid,
    /// Its place in the session, from 0.
    #[schema(example = 3)]
    pub position: i64,
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks.
    #[schema(example = "Caroline")]
    pub author: Option<String>,
    /// What was said.
    #[schema(example = "I moved to Lisbon last week.")]
    pub content: String,
    /// Calls of tools, as the chat protocol has them.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Value>,
    /// The call that a tool's turn answers.
    pub tool_call_id: Option<String>,
    /// The turn that it answers, when that is not the one before.
    pub parent_id: Option<Uuid>,
    /// The call of a model that said it.
    pub completion_id: Option<Uuid>,
    /// About how many tokens the content has.
    #[schema(example = 7)]
    pub tokens: i32,
    /// Anything that the client wants to keep with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// When it was said.
    pub occurred_at: DateTime<Utc>,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.uuid(),
            session_id: message.session.uuid(),
            position: message.position,
            role: message.role,
            author: message.author,
            content: message.content,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            parent_id: message.parent.map(MessageId::uuid),
            completion_id: message.completion.map(contracts::CompletionId::uuid),
            tokens: message.tokens,
            metadata: message.metadata,
            occurred_at: message.occurred_at,
            stored_at: message.stored_at,
        }
    }
}

/// Turns that were stored, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessagesView {
    /// The turns.
    pub items: Vec<MessageView>,
}

/// Turns to be stored, all of them or none.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessagesAppend {
    /// 1 to 100 turns, in their order.
    #[schema(min_items = 1, max_items = 100)]
    #[validate(custom(function = "some_messages"), nested)]
    pub messages: Vec<MessageCreate>,
}

/// A turn to be stored.
// Written as well as read, because `validator` keeps what it refuses.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "says_something"))]
pub struct MessageCreate {
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks, when several people share a role: it can be asked for.
    #[schema(example = "Caroline", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub author: Option<String>,
    /// What was said: up to 128 KiB; empty only beside calls of tools.
    #[serde(default)]
    #[schema(example = "I moved to Lisbon last week.", max_length = 131_072)]
    #[validate(custom(function = "a_content"))]
    pub content: String,
    /// Calls of tools, as the chat protocol has them: up to 32 KiB.
    #[schema(value_type = Option<Vec<Object>>)]
    #[validate(custom(function = "some_tool_calls"))]
    pub tool_calls: Option<Value>,
    /// The call that a tool's turn answers.
    #[schema(min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub tool_call_id: Option<String>,
    /// The turn that it answers, when that is not the one before.
    pub parent_id: Option<Uuid>,
    /// Up to 32 fields and 8 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
    /// When it was said; now when absent.
    pub occurred_at: Option<DateTime<Utc>>,
}

impl MessagesAppend {
    pub fn into_new(self) -> Vec<NewMessage> {
        let new = |message: MessageCreate| NewMessage {
            role: message.role,
            author: message.author,
            content: message.content,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            parent: message.parent_id.map(MessageId::from_uuid),
            completion: None,
            metadata: message.metadata,
            occurred_at: message.occurred_at,
        };
        self.messages.into_iter().map(new).collect()
    }
}

/// Which turns are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
    /// In which order: the first turn first, or the last.
    #[serde(default)]
    #[param(inline, required = false)]
    pub order: Order,
}

/// In which order turns are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first turn first.
    #[default]
    Asc,
    /// The last turn first.
    Desc,
}

impl MessageQuery {
    pub fn into_parts(self) -> (Page, Order) {
        (Page::new(self.limit, self.cursor), self.order)
    }
}

fn some_messages(messages: &[MessageCreate]) -> Result<(), ValidationError> {
    check((1..=MESSAGES).contains(&messages.len()), "length", "Give 1 to 100 turns.")
}

pub(super) fn a_content(content: &str) -> Result<(), ValidationError> {
    check(content.len() <= CONTENT_BYTES, "length", "Give it at most 131072 bytes.")
}

pub(super) fn some_tool_calls(calls: &Value) -> Result<(), ValidationError> {
    let fine = calls.as_array().is_some_and(|calls| !calls.is_empty() && calls.iter().all(Value::is_object));
    check(fine, "tool_calls", "Give a list of calls.")?;
    let bytes = serde_json::to_vec(calls).map_or(usize::MAX, |bytes| bytes.len());
    check(bytes <= TOOL_CALLS_BYTES, "length", "Give it at most 32 KiB.")
}

fn says_something(message: &MessageCreate) -> Result<(), ValidationError> {
    let fine = !message.content.trim().is_empty() || message.tool_calls.is_some();
    check(fine, "empty", "A turn has content, or calls of tools.")
}
