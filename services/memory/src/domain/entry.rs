//! What can be found: a turn of a conversation, a memory, or a chunk of a document.

use chrono::{DateTime, Utc};
use contracts::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// The id of an entry, which is the id of the message, memory or chunk that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub Uuid);

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A turn of a conversation.
    Message,
    /// Something that is remembered.
    Memory,
    /// A part of a document.
    Chunk,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Message, Self::Memory, Self::Chunk];

    /// The word in JSON, in columns and in the payload of a vector.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Memory => "memory",
            Self::Chunk => "chunk",
        }
    }
}

/// What an entry can be selected by. Texts are labels of up to 128 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub org: OrgId,
    pub kind: Kind,
    /// Whom it is about or belongs to: the id of a member, or a name that an application gives its users. `None` is
    /// shared by the organization.
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub session: Option<Uuid>,
    pub project: Option<Uuid>,
    pub collection: Option<Uuid>,
    pub document: Option<Uuid>,
    /// Tags as `tag:<tag>`, and scalars of the metadata's first level as `meta:<key>=<value>`.
    pub labels: Vec<String>,
    /// When it was said or became known.
    pub occurred_at: DateTime<Utc>,
    /// It holds from here, …
    pub valid_from: DateTime<Utc>,
    /// … to here (exclusive); `None` while it still does.
    pub valid_to: Option<DateTime<Utc>>,
    /// From here on (inclusive) it is not found any more.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An entry with the words by which it is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub id: EntryId,
    pub attributes: Attributes,
    /// Who said it, as in "Caroline"; a role like `user` is no author.
    pub author: Option<String>,
    /// Place within the session or the document, from 0 and without holes unless something was forgotten.
    pub position: i64,
    pub pinned: bool,
    pub text: String,
    /// What the turn before asked, if somebody else said that.
    pub reply_to: String,
}

/// The labels of tags and of the metadata's scalars. Objects, lists and texts of more than 200 characters are none.
pub fn labels(tags: &[String], metadata: &Map<String, Value>) -> Vec<String> {
    let tags = tags.iter().map(|tag| format!("tag:{tag}"));
    tags.chain(metadata.iter().filter_map(|(key, value)| metadata_label(key, value))).collect()
}

/// The label of one field of the metadata.
pub fn metadata_label(key: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.chars().count() <= 200 => Some(format!("meta:{key}={text}")),
        Value::Bool(_) | Value::Number(_) => Some(format!("meta:{key}={value}")),
        _ => None,
    }
}
