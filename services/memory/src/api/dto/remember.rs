//! Something to be remembered as it is, or to take facts from, on the wire.

use chrono::{DateTime, Utc};
use contracts::{MemoryId, MemorySessionId, MessageId};
use kit::http::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{
    a_label, a_patched_label, check,
    memories::{MemoryCreate, a_share, a_text},
    messages::MessageCreate,
    owner, some_metadata, some_tags,
};
use crate::{
    domain::{
        access::{Allowed, Write},
        extraction::{Extraction, Frame, Given, Status, Turn},
        memory::NewMemory,
        recalled::said,
        session::Belonging,
    },
    error::Error,
};

/// Turns of one request, and bytes of all of them.
pub(super) const MESSAGES: usize = 50;
pub(super) const CONTENT_BYTES: usize = 64 * 1024;

/// Something to be remembered, or to take facts from.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryRemember {
    /// Whether a language model takes the facts from what is given. Otherwise `text` is remembered as it is.
    #[serde(default)]
    pub infer: bool,
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
    pub text: Option<String>,
    /// With `infer`, instead of `text`: up to 50 turns and 64 KiB. They are not kept, and facts are taken from what users and
    /// assistants say.
    #[serde(default)]
    #[schema(max_items = 50)]
    #[validate(custom(function = "some_messages"), nested)]
    pub messages: Vec<MessageCreate>,
    /// The turns that it was taken from.
    #[serde(default)]
    #[schema(max_items = 100)]
    #[validate(length(max = 100, message = "Give at most 100 turns."))]
    pub source_message_ids: Vec<Uuid>,
    /// How sure it is, from 0 to 1; 1 when absent. With `infer`, that is found out.
    #[schema(minimum = 0, maximum = 1, default = 1.0)]
    #[validate(custom(function = "a_share"))]
    pub confidence: Option<f32>,
    /// Since when it holds; now, or since it was said, when absent.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it holds (exclusive), if that is known. Not with `infer`.
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
    /// Memories that do not hold any more because this one does. With `infer`, that is found out.
    #[serde(default)]
    #[schema(max_items = 20)]
    #[validate(length(max = 20, message = "Give at most 20 memories."))]
    pub supersedes: Vec<Uuid>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Wish {
    /// To remember this, in the place of these.
    Remember(NewMemory, Vec<MemoryId>),
    Infer(Given),
}

impl MemoryRemember {
    /// What is to be done, at `now`.
    pub fn into_wish(self, allowed: &Allowed<Write>, now: DateTime<Utc>) -> Result<Wish, Error> {
        if self.infer { self.into_given(allowed, now).map(Wish::Infer) } else { self.into_memory(allowed) }
    }

    fn into_memory(self, allowed: &Allowed<Write>) -> Result<Wish, Error> {
        if !self.messages.is_empty() {
            return Err(Error::field("messages", "without_infer", "Facts are only taken from turns with infer: true."));
        }
        let text = self.text.ok_or_else(|| Error::field("text", "required", "Say what is to be remembered."))?;
        let create = MemoryCreate {
            user: self.user,
            agent: self.agent,
            session_id: self.session_id,
            project_id: self.project_id,
            text,
            source_message_ids: self.source_message_ids,
            confidence: self.confidence.unwrap_or(1.0),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            expires_at: self.expires_at,
            pinned: self.pinned,
            tags: self.tags,
            metadata: self.metadata,
            supersedes: self.supersedes,
        };
        let (new, supersedes) = create.into_parts(allowed)?;
        Ok(Wish::Remember(new, supersedes))
    }

    fn into_given(self, allowed: &Allowed<Write>, now: DateTime<Utc>) -> Result<Given, Error> {
        let found_out = [
            ("confidence", self.confidence.is_some()),
            ("valid_to", self.valid_to.is_some()),
            ("supersedes", !self.supersedes.is_empty()),
        ];
        if let Some((name, _)) = found_out.into_iter().find(|(_, given)| *given) {
            return Err(Error::field(name, "with_infer", "With infer, this is found out."));
        }
        let turns = match (self.text, self.messages) {
            (Some(text), messages) if messages.is_empty() => {
                vec![Turn { speaker: "user".to_owned(), at: now, text: text.trim().to_owned() }]
            }
            (None, messages) if !messages.is_empty() => {
                messages.into_iter().filter_map(|said| turn(said, now)).collect()
            }
            _ => return Err(Error::field("messages", "text_or_messages", "Give either text or messages.")),
        };
        if turns.is_empty() {
            return Err(Error::field("messages", "nothing_said", "A user or an assistant has to say something."));
        }
        let subject = owner(self.user, allowed)?;
        let frame = Frame {
            belonging: Belonging { subject, agent: self.agent, project: self.project_id },
            session: self.session_id.map(MemorySessionId::from_uuid),
            source_messages: self.source_message_ids.into_iter().map(MessageId::from_uuid).collect(),
            valid_from: self.valid_from,
            expires_at: self.expires_at,
            pinned: self.pinned,
            tags: self.tags,
            metadata: self.metadata,
        };
        Ok(Given { frame, turns })
    }
}

fn turn(message: MessageCreate, now: DateTime<Utc>) -> Option<Turn> {
    let text = said(message.role, &message.metadata, &message.content)?;
    let speaker = message.author.unwrap_or_else(|| message.role.as_str().to_owned());
    Some(Turn { speaker, at: message.occurred_at.unwrap_or(now), text })
}

fn some_messages(messages: &[MessageCreate]) -> Result<(), ValidationError> {
    check(messages.len() <= MESSAGES, "length", "Give at most 50 turns.")?;
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    check(bytes <= CONTENT_BYTES, "length", "Give at most 65536 bytes.")
}

/// Facts will be taken from what was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtractionAccepted {
    /// By which the outcome can be asked for: `GET /v1/memory/extractions/{id}`.
    pub operation_id: Uuid,
    /// How far it is.
    pub status: Status,
}

/// What became of something that was given to take facts from.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtractionView {
    /// The id of the operation.
    pub id: Uuid,
    /// Whose the facts are; `null` is the organization.
    #[schema(example = "customer-7")]
    pub user: Option<String>,
    /// How far it is.
    pub status: Status,
    /// The memories that came of it so far; what was remembered already is not among them.
    pub memory_ids: Vec<Uuid>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
}

impl From<Extraction> for ExtractionAccepted {
    fn from(extraction: Extraction) -> Self {
        Self { operation_id: extraction.id.uuid(), status: extraction.status }
    }
}

impl From<Extraction> for ExtractionView {
    fn from(extraction: Extraction) -> Self {
        Self {
            id: extraction.id.uuid(),
            user: extraction.subject,
            status: extraction.status,
            memory_ids: extraction.memories.into_iter().map(MemoryId::uuid).collect(),
            created_at: extraction.created_at,
            updated_at: extraction.updated_at,
        }
    }
}
