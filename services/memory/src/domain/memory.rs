//! Something that is remembered: a sentence that holds from some moment on, until another one takes its place.

use chrono::{DateTime, Utc};
use contracts::{
    MemoryId, MemorySessionId, MessageId, OrgId, UserId,
    memory::v1::{MemoryAdded, MemoryForgotten, MemorySuperseded},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    entry::{Attributes, Entry, EntryId, Kind, labels},
    session::Belonging,
};

/// Where a memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Somebody said it to us as it is.
    Stated,
    /// A language model took it from turns.
    Extracted,
    /// It came with an import.
    Imported,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stated, Self::Extracted, Self::Imported];

    /// The word in columns and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Extracted => "extracted",
            Self::Imported => "imported",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    pub id: MemoryId,
    pub org: OrgId,
    pub belonging: Belonging,
    pub session: Option<MemorySessionId>,
    pub text: String,
    pub source: Source,
    /// The turns that it was taken from.
    pub source_messages: Vec<MessageId>,
    /// From 0 to 1.
    pub confidence: f32,
    pub valid_from: DateTime<Utc>,
    /// Exclusive; `None` while it holds.
    pub valid_to: Option<DateTime<Utc>>,
    /// The memory that holds instead.
    pub superseded_by: Option<MemoryId>,
    pub expires_at: Option<DateTime<Utc>>,
    pub pinned: bool,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
    pub created_by: UserId,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What is to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMemory {
    pub belonging: Belonging,
    pub session: Option<MemorySessionId>,
    pub text: String,
    pub source: Source,
    pub source_messages: Vec<MessageId>,
    pub confidence: f32,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_to: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub pinned: bool,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
}

/// A change; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryChange {
    pub text: Option<String>,
    pub confidence: Option<f32>,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_to: Option<Option<DateTime<Utc>>>,
    pub expires_at: Option<Option<DateTime<Utc>>>,
    pub pinned: Option<bool>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Map<String, Value>>,
}

/// A memory would end before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("valid_to is before valid_from")]
pub struct EndsBeforeItBegins;

impl Memory {
    /// A new memory and the fact that it is remembered.
    ///
    /// # Errors
    /// [`EndsBeforeItBegins`].
    pub fn add(
        id: MemoryId,
        org: OrgId,
        new: NewMemory,
        by: UserId,
        now: DateTime<Utc>,
    ) -> Result<(Self, MemoryAdded), EndsBeforeItBegins> {
        let memory = Self {
            id,
            org,
            belonging: new.belonging,
            session: new.session,
            text: new.text,
            source: new.source,
            source_messages: new.source_messages,
            confidence: new.confidence,
            valid_from: new.valid_from.unwrap_or(now),
            valid_to: new.valid_to,
            superseded_by: None,
            expires_at: new.expires_at,
            pinned: new.pinned,
            tags: new.tags,
            metadata: new.metadata,
            created_by: by,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        memory.check()?;
        let event = memory.added();
        Ok((memory, event))
    }

    /// The fact that it is remembered.
    pub fn added(&self) -> MemoryAdded {
        MemoryAdded {
            memory_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            subject: self.belonging.subject.clone(),
            agent: self.belonging.agent.clone(),
            session_id: self.session.map(|id| id.to_string()),
            project_id: self.belonging.project.map(|id| id.to_string()),
            source: self.source.as_str().to_owned(),
            added_at: Some(self.created_at.into()),
        }
    }

    fn check(&self) -> Result<(), EndsBeforeItBegins> {
        if self.valid_to.is_some_and(|to| to < self.valid_from) { Err(EndsBeforeItBegins) } else { Ok(()) }
    }

    /// # Errors
    /// [`EndsBeforeItBegins`].
    pub fn change(mut self, change: MemoryChange, now: DateTime<Utc>) -> Result<Self, EndsBeforeItBegins> {
        self.text = change.text.unwrap_or(self.text);
        self.confidence = change.confidence.unwrap_or(self.confidence);
        self.valid_from = change.valid_from.unwrap_or(self.valid_from);
        self.valid_to = change.valid_to.unwrap_or(self.valid_to);
        self.expires_at = change.expires_at.unwrap_or(self.expires_at);
        self.pinned = change.pinned.unwrap_or(self.pinned);
        self.tags = change.tags.unwrap_or(self.tags);
        self.metadata = change.metadata.unwrap_or(self.metadata);
        self.version += 1;
        self.updated_at = now;
        self.check()?;
        Ok(self)
    }

    /// It held until `at`; `by` holds instead. What ended before stays as it ended.
    pub fn supersede(mut self, by: MemoryId, at: DateTime<Utc>, now: DateTime<Utc>) -> (Self, MemorySuperseded) {
        let end = self.valid_to.map_or(at, |to| to.min(at)).max(self.valid_from);
        self.valid_to = Some(end);
        self.superseded_by = Some(by);
        self.version += 1;
        self.updated_at = now;
        let event = MemorySuperseded {
            memory_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            superseded_by_memory_id: Some(by.to_string()),
            valid_to: Some(end.into()),
        };
        (self, event)
    }

    /// The fact that it is gone.
    pub fn forgotten(&self, now: DateTime<Utc>) -> MemoryForgotten {
        MemoryForgotten {
            memory_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            kind: "memory".to_owned(),
            entries: 1,
            forgotten_at: Some(now.into()),
        }
    }

    /// How it is found.
    pub fn entry(&self) -> Entry {
        Entry {
            id: EntryId(self.id.uuid()),
            attributes: Attributes {
                org: self.org,
                kind: Kind::Memory,
                subject: self.belonging.subject.clone(),
                agent: self.belonging.agent.clone(),
                session: self.session.map(MemorySessionId::uuid),
                project: self.belonging.project,
                collection: None,
                document: None,
                labels: labels(&self.tags, &self.metadata),
                occurred_at: self.valid_from,
                valid_from: self.valid_from,
                valid_to: self.valid_to,
                expires_at: self.expires_at,
            },
            author: None,
            // It has no neighbours.
            position: 0,
            pinned: self.pinned,
            text: self.text.clone(),
            reply_to: String::new(),
        }
    }
}

/// What became of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Updated,
    Superseded,
    Forgotten,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Added, Self::Updated, Self::Superseded, Self::Forgotten];

    /// The word in columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Superseded => "superseded",
            Self::Forgotten => "forgotten",
        }
    }
}

/// One turn of a memory's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The memory's version after it.
    pub version: i64,
    pub change: Change,
    /// `None` when there was none, or it is forgotten.
    pub old_text: Option<String>,
    pub new_text: Option<String>,
    /// The memory that holds instead, whose text `new_text` is then.
    pub by: Option<MemoryId>,
    /// Who did it; `None` for the system.
    pub actor: Option<UserId>,
    pub at: DateTime<Utc>,
}

impl Memory {
    /// By which the same memory is known.
    pub fn text_hash(&self) -> [u8; 32] {
        text_hash(&self.text)
    }
}

/// Of a text without differences of case, space and final punctuation.
pub fn text_hash(text: &str) -> [u8; 32] {
    let plain: Vec<_> = text.split_whitespace().collect();
    let plain = plain.join(" ").to_lowercase();
    *blake3::hash(plain.trim_end_matches(['.', '!']).as_bytes()).as_bytes()
}

/// Which memories are listed. All conditions hold at once.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub subject: Option<String>,
    pub agent: Option<String>,
    pub session: Option<MemorySessionId>,
    pub project: Option<Uuid>,
    pub tag: Option<String>,
    /// Only those that hold at this moment.
    pub as_of: Option<DateTime<Utc>>,
}
