//! A document: what was uploaded, and what became of it.

use chrono::{DateTime, Utc};
use contracts::{
    ChunkId, CollectionId, DocumentId, OrgId, UserId,
    memory::v1::{DocumentIndexed, MemoryForgotten},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    collection::Collection,
    entry::{Attributes, Entry, EntryId, Kind, labels},
};
use crate::documents::{Format, Refused};

/// Largest document that is taken, in bytes.
pub const LARGEST: usize = 20 << 20;
/// Of the title that a document gives itself.
const TITLE_CHARS: usize = 200;

/// Formats, and their words in columns.
pub const FORMATS: [(Format, &str); 7] = [
    (Format::Text, "text"),
    (Format::Markdown, "markdown"),
    (Format::Html, "html"),
    (Format::Pdf, "pdf"),
    (Format::Docx, "docx"),
    (Format::Csv, "csv"),
    (Format::Json, "json"),
];

/// How far a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits to be read.
    Pending,
    /// It is being read.
    Indexing,
    /// It can be found.
    Indexed,
    /// It could not be read; what an earlier revision said can still be found.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Indexing, Self::Indexed, Self::Failed];

    /// The word in columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Indexing => "indexing",
            Self::Indexed => "indexed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing is left to do.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Indexed | Self::Failed)
    }
}

/// Why a document was not indexed. Only the last one may go away by trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It asks for a password.
    Encrypted,
    /// It is damaged, or not what it claims to be.
    Malformed,
    /// There is no text in it. Pages that are pictures are not read.
    NoText,
    /// There is too much text in it.
    TooLarge,
    /// It takes too much time or memory to read, or expands to too much.
    TooDemanding,
    /// Something is wrong on our side.
    Internal,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Encrypted, Self::Malformed, Self::NoText, Self::TooLarge, Self::TooDemanding, Self::Internal];

    /// The word in columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Malformed => "malformed",
            Self::NoText => "no_text",
            Self::TooLarge => "too_large",
            Self::TooDemanding => "too_demanding",
            Self::Internal => "internal",
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Encrypted => Self::Encrypted,
            Refused::Malformed(_) | Refused::Unsupported | Refused::Mismatch { .. } => Self::Malformed,
            Refused::NoText => Self::NoText,
            Refused::TooLarge => Self::TooLarge,
            Refused::TimedOut | Refused::ExpandsTooMuch | Refused::TooDemanding => Self::TooDemanding,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub id: DocumentId,
    pub org: OrgId,
    pub collection: CollectionId,
    /// That of its collection.
    pub subject: Option<String>,
    pub name: String,
    /// As it was declared.
    pub media_type: Option<String>,
    pub format: Format,
    pub bytes: i64,
    pub sha256: [u8; 32],
    pub status: Status,
    /// Exactly when the status is [`Status::Failed`].
    pub error: Option<Failure>,
    /// As the document itself gives it.
    pub title: Option<String>,
    /// Chunks that can be found.
    pub chunk_count: i32,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
    /// How often it was to be indexed.
    pub revision: i32,
    /// How often this revision was begun.
    pub attempts: i32,
    pub created_by: UserId,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A document to be, whose bytes were looked at.
#[derive(Debug, Clone)]
pub struct NewDocument {
    pub name: String,
    pub media_type: Option<String>,
    pub format: Format,
    pub bytes: i64,
    pub sha256: [u8; 32],
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
}

/// A part of a document, as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub id: ChunkId,
    /// From 0.
    pub position: i64,
    pub heading_path: Vec<String>,
    /// With the headings in its first line.
    pub text: String,
}

impl Document {
    /// A new document of `collection`, which waits to be indexed.
    pub fn new(id: DocumentId, collection: &Collection, new: NewDocument, by: UserId, now: DateTime<Utc>) -> Self {
        Self {
            id,
            org: collection.org,
            collection: collection.id,
            subject: collection.subject.clone(),
            name: new.name,
            media_type: new.media_type,
            format: new.format,
            bytes: new.bytes,
            sha256: new.sha256,
            status: Status::Pending,
            error: None,
            title: None,
            chunk_count: 0,
            tags: new.tags,
            metadata: new.metadata,
            revision: 1,
            attempts: 0,
            created_by: by,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// It waits to be indexed again from what was uploaded. Who indexes an earlier revision does so in vain.
    #[must_use]
    pub fn reindex(self, now: DateTime<Utc>) -> Self {
        let revision = self.revision + 1;
        Self { revision, attempts: 0, ..self.turned(Status::Pending, None, now) }
    }

    /// It waits to be tried again.
    #[must_use]
    pub fn postponed(self, now: DateTime<Utc>) -> Self {
        self.turned(Status::Pending, None, now)
    }

    /// It could not be read.
    #[must_use]
    pub fn failed(self, why: Failure, now: DateTime<Utc>) -> Self {
        self.turned(Status::Failed, Some(why), now)
    }

    /// It can be found in `chunk_count` chunks, and the fact that it can.
    pub fn indexed(self, title: Option<String>, chunk_count: i32, now: DateTime<Utc>) -> (Self, DocumentIndexed) {
        let title = title.map(|title| title.chars().filter(|c| !c.is_control()).take(TITLE_CHARS).collect::<String>());
        let title = title.filter(|title| !title.trim().is_empty());
        let document = Self { title, chunk_count, ..self.turned(Status::Indexed, None, now) };
        let event = DocumentIndexed {
            document_id: document.id.to_string(),
            organization_id: document.org.to_string(),
            collection_id: document.collection.to_string(),
            subject: document.subject.clone(),
            revision: document.revision,
            chunks: document.chunk_count,
            indexed_at: Some(now.into()),
        };
        (document, event)
    }

    fn turned(self, status: Status, error: Option<Failure>, now: DateTime<Utc>) -> Self {
        Self { status, error, version: self.version + 1, updated_at: now, ..self }
    }

    /// Whether it is still what was claimed: not forgotten, not to be indexed anew, not claimed by somebody else since.
    pub fn is_still(&self, claimed: &Self) -> bool {
        self.status == Status::Indexing && (self.revision, self.attempts) == (claimed.revision, claimed.attempts)
    }

    /// The fact that it was forgotten, with so many chunks.
    pub fn forgotten(&self, chunks: usize, now: DateTime<Utc>) -> MemoryForgotten {
        MemoryForgotten {
            memory_id: self.id.to_string(),
            organization_id: self.org.to_string(),
            kind: "document".to_owned(),
            entries: i64::try_from(chunks).unwrap_or(i64::MAX),
            forgotten_at: Some(now.into()),
        }
    }

    /// As what a chunk of it can be found.
    pub fn entry(&self, chunk: &Chunk) -> Entry {
        Entry {
            id: EntryId(chunk.id.uuid()),
            attributes: Attributes {
                org: self.org,
                kind: Kind::Chunk,
                subject: self.subject.clone(),
                agent: None,
                session: None,
                project: None,
                collection: Some(self.collection.uuid()),
                document: Some(self.id.uuid()),
                labels: labels(&self.tags, &self.metadata),
                occurred_at: self.created_at,
                valid_from: self.created_at,
                valid_to: None,
                expires_at: None,
            },
            author: None,
            position: chunk.position,
            pinned: false,
            text: chunk.text.clone(),
            reply_to: String::new(),
        }
    }
}

/// Which documents are listed. All conditions hold at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub collection: Option<CollectionId>,
    pub status: Option<Status>,
}
