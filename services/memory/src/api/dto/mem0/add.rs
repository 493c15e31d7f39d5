//! What mem0's clients have remembered and corrected.

use chrono::{DateTime, Utc};
use kit::{Problem, http::Patch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::{Names, expiry, moment, refuse_options, refused, scope::a_name};
use crate::{
    api::dto::{
        a_label, check,
        memories::a_text,
        remember::{CONTENT_BYTES, MESSAGES},
        some_metadata,
    },
    domain::{
        access::{Allowed, Write},
        extraction::{Frame, Given, Turn},
        memory::{MemoryChange, NewMemory, Source},
        message::Role,
        recalled::said,
    },
    error::Error,
};

/// Messages to be remembered.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub struct Mem0Add {
    /// 1 to 50 messages with together at most 64 KiB of text. Those of `user` and `assistant` are remembered, others are passed
    /// over.
    #[schema(min_items = 1, max_items = 50)]
    #[validate(custom(function = "some_messages"))]
    pub messages: Vec<Mem0Said>,
    /// Whether facts are taken from them, if there is a language model for it; otherwise each message is remembered as it is.
    #[schema(nullable = false, default = true)]
    pub infer: Option<bool>,
    /// Whose they are; yours when absent. At least one of the four ids is needed.
    #[schema(example = "alice", min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub user_id: Option<String>,
    /// The agent they belong to.
    #[schema(min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent_id: Option<String>,
    /// The app they belong to: the id of a project, or any other name.
    #[schema(min_length = 1, max_length = 119)]
    #[validate(custom(function = "a_name"))]
    pub app_id: Option<String>,
    /// The run they belong to: the id of a session, or any other name.
    #[schema(min_length = 1, max_length = 119)]
    #[validate(custom(function = "a_name"))]
    pub run_id: Option<String>,
    /// The same ids in another place.
    #[validate(nested)]
    pub filters: Option<Mem0Ids>,
    /// Up to 32 fields and 8 KiB, kept with each memory.
    #[schema(value_type = Option<Object>)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Option<Map<String, Value>>,
    /// Since when they hold, as a time, a date or seconds since 1970; now when absent.
    #[schema(value_type = Option<Object>)]
    pub timestamp: Option<Value>,
    /// The last day on which they are remembered.
    #[schema(example = "2030-12-31")]
    pub expiration_date: Option<String>,
    /// Not supported.
    #[schema(value_type = Option<Object>)]
    custom_categories: Option<Value>,
    /// Not supported.
    custom_instructions: Option<String>,
    /// Not supported.
    agent_custom_instructions: Option<String>,
    /// Not supported.
    #[schema(value_type = Option<Object>)]
    structured_data_schema: Option<Value>,
    /// Not supported.
    includes: Option<String>,
    /// Not supported.
    excludes: Option<String>,
    /// Not supported.
    immutable: Option<bool>,
    /// Not supported.
    enable_graph: Option<bool>,
}

/// Whose something is, in mem0's words.
// Written as well as read, because `validator` keeps what it refuses.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "mem0 calls them so")]
pub struct Mem0Ids {
    /// Whose it is.
    #[schema(min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub user_id: Option<String>,
    /// The agent it belongs to.
    #[schema(min_length = 1, max_length = 128)]
    #[validate(custom(function = "a_label"))]
    pub agent_id: Option<String>,
    /// The app it belongs to.
    #[schema(min_length = 1, max_length = 119)]
    #[validate(custom(function = "a_name"))]
    pub app_id: Option<String>,
    /// The run it belongs to.
    #[schema(min_length = 1, max_length = 119)]
    #[validate(custom(function = "a_name"))]
    pub run_id: Option<String>,
}

/// One message.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct Mem0Said {
    /// Who says it.
    #[schema(example = "user")]
    pub role: String,
    /// What is said: a text of 1 to 8000 characters, or a list of parts of type `text`.
    #[schema(value_type = Object, example = "I live in Lisbon.")]
    pub content: Value,
}

impl Mem0Said {
    /// `None` unless it is text.
    fn text(&self) -> Option<String> {
        match &self.content {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Array(parts) => {
                let texts: Vec<_> = parts.iter().map(text_of_part).collect::<Option<_>>()?;
                Some(texts.join("\n").trim().to_owned())
            }
            _ => None,
        }
    }
}

fn text_of_part(part: &Value) -> Option<&str> {
    let is_text = part.get("type").and_then(Value::as_str) == Some("text");
    part.get("text").and_then(Value::as_str).filter(|_| is_text)
}

impl Mem0Add {
    /// Whether facts are to be taken from the messages.
    pub fn infers(&self) -> bool {
        self.infer.unwrap_or(true)
    }

    /// What was said, and what all that is remembered of it has in common.
    pub fn into_given(self, allowed: &Allowed<Write>, now: DateTime<Utc>) -> Result<Given, Problem> {
        refuse_options(&[
            ("custom_categories", self.custom_categories.is_some()),
            ("custom_instructions", self.custom_instructions.is_some()),
            ("agent_custom_instructions", self.agent_custom_instructions.is_some()),
            ("structured_data_schema", self.structured_data_schema.is_some()),
            ("includes", self.includes.is_some()),
            ("excludes", self.excludes.is_some()),
            ("immutable", self.immutable == Some(true)),
            ("enable_graph", self.enable_graph == Some(true)),
        ])?;
        let (valid_from, expires_at) = (since(self.timestamp.as_ref())?, until(self.expiration_date.as_deref())?);
        let turns = turns(self.messages, valid_from.unwrap_or(now))?;
        let inner = self.filters.unwrap_or_default();
        let names = Names {
            user: self.user_id.or(inner.user_id),
            agent: self.agent_id.or(inner.agent_id),
            app: self.app_id.or(inner.app_id),
            run: self.run_id.or(inner.run_id),
        };
        if names.is_empty() {
            return Err(refused("user_id", "or one of agent_id, app_id and run_id is needed"));
        }
        let (belonging, session, tags) = names.place(allowed).map_err(Error::from)?;
        let metadata = self.metadata.unwrap_or_default();
        let frame = Frame { belonging, session, valid_from, expires_at, tags, metadata, ..Frame::default() };
        Ok(Given { frame, turns })
    }
}

/// The turns without what was recalled for them: no facts are taken from that.
pub fn without_recalled(mut given: Given) -> Given {
    let left = |turn: Turn| Some(Turn { text: said(Role::User, &Map::new(), &turn.text)?, ..turn });
    given.turns = given.turns.into_iter().filter_map(left).collect();
    given
}

/// Each turn as it is.
pub fn verbatim(given: Given) -> Vec<NewMemory> {
    let Given { frame, turns } = given;
    let memory = |turn: Turn| NewMemory { source: Source::Stated, ..frame.memory(turn.text, 1.0, turn.at) };
    turns.into_iter().map(memory).collect()
}

fn turns(messages: Vec<Mem0Said>, at: DateTime<Utc>) -> Result<Vec<Turn>, Error> {
    let mut turns = Vec::new();
    for (place, said) in messages.into_iter().enumerate() {
        if !matches!(said.role.as_str(), "user" | "assistant") {
            continue;
        }
        let field = format!("messages[{place}].content");
        let text = said.text().ok_or_else(|| Error::field(&field, "not_text", "Only text can be remembered."))?;
        if a_text(&text).is_err() {
            return Err(Error::field(&field, "length", "Give it 1 to 8000 characters, at least one of them visible."));
        }
        turns.push(Turn { speaker: said.role, at, text });
    }
    if turns.iter().map(|turn| turn.text.len()).sum::<usize>() > CONTENT_BYTES {
        return Err(Error::field("messages", "length", "Give at most 65536 bytes of text."));
    }
    if turns.is_empty() {
        return Err(Error::field("messages", "empty", "Give at least one message of user or assistant."));
    }
    Ok(turns)
}

fn some_messages(messages: &[Mem0Said]) -> Result<(), ValidationError> {
    check((1..=MESSAGES).contains(&messages.len()), "length", "Give 1 to 50 messages.")
}

fn since(timestamp: Option<&Value>) -> Result<Option<DateTime<Utc>>, Error> {
    let read = |value: &Value| {
        moment(value).ok_or_else(|| Error::field("timestamp", "time", "Give a time, a date or seconds since 1970."))
    };
    timestamp.map(read).transpose()
}

fn until(expiration_date: Option<&str>) -> Result<Option<DateTime<Utc>>, Error> {
    let read =
        |text: &str| expiry(text).ok_or_else(|| Error::field("expiration_date", "date", "Give a date: 2030-12-31."));
    expiration_date.map(read).transpose()
}

/// What is to be corrected; at least one of the members.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub struct Mem0Update {
    /// What is remembered: 1 to 8000 characters.
    #[schema(min_length = 1, max_length = 8000)]
    #[validate(custom(function = "a_text"))]
    pub text: Option<String>,
    /// Takes the place of all metadata that there is.
    #[schema(value_type = Option<Object>)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Option<Map<String, Value>>,
    /// Since when it holds, as a time, a date or seconds since 1970.
    #[schema(value_type = Option<Object>)]
    pub timestamp: Option<Value>,
    /// The last day on which it is remembered; `null` for ever.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "2030-12-31")]
    pub expiration_date: Patch<String>,
}

impl Mem0Update {
    pub fn into_change(self) -> Result<MemoryChange, Error> {
        let expires_at = match self.expiration_date.into_nested() {
            None => None,
            Some(date) => Some(until(date.as_deref())?),
        };
        let change = MemoryChange {
            text: self.text.map(|text| text.trim().to_owned()),
            metadata: self.metadata,
            valid_from: since(self.timestamp.as_ref())?,
            expires_at,
            ..MemoryChange::default()
        };
        if change == MemoryChange::default() {
            return Err(Error::field("", "missing", "Give text, metadata, timestamp or expiration_date."));
        }
        Ok(change)
    }
}
