//! Documents on the wire.

use chrono::{DateTime, Utc};
use contracts::CollectionId;
use kit::http::{Limit, Page};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{a_title, check, some_metadata, some_tags};
use crate::{
    app::add_document::{Content, Upload},
    documents::Format,
    domain::document::{Chunk, Document, Failure, Status, Wanted},
    error::Error,
};

/// A document.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentView {
    /// The document's id.
    pub id: Uuid,
    /// The collection it is in.
    pub collection_id: Uuid,
    /// Whose it is, as its collection says; `null` is shared by the organization.
    pub user: Option<String>,
    /// What it was called when it was uploaded.
    #[schema(example = "press-manual.md")]
    pub name: String,
    /// As what it was declared.
    #[schema(example = "text/markdown")]
    pub media_type: Option<String>,
    /// As what it is read: `text`, `markdown`, `html`, `pdf`, `docx`, `csv` or `json`.
    #[schema(value_type = String, example = "markdown")]
    pub format: Format,
    /// How large it is.
    #[schema(example = 48_213)]
    pub bytes: i64,
    /// SHA-256 of its bytes, in hexadecimal.
    #[schema(example = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")]
    pub sha256: String,
    /// How far it is.
    pub status: Status,
    /// Why it was not indexed, when the status is `failed`.
    pub error: Option<Failure>,
    /// What it calls itself, once that was read.
    #[schema(example = "The press and how to look after it")]
    pub title: Option<String>,
    /// In how many chunks it can be found.
    #[schema(example = 62)]
    pub chunk_count: i32,
    /// What it is about, in the client's own words.
    #[schema(example = json!(["press"]))]
    pub tags: Vec<String>,
    /// Anything that the client wants to keep with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// How often it was to be indexed. Until a revision is complete, what the one before said is found.
    #[schema(example = 1)]
    pub revision: i32,
    /// Grows with each change, of the status too; also the `ETag`.
    #[schema(example = 3)]
    pub version: i64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.uuid(),
            collection_id: document.collection.uuid(),
            user: document.subject,
            name: document.name,
            media_type: document.media_type,
            format: document.format,
            bytes: document.bytes,
            sha256: hex::encode(document.sha256),
            status: document.status,
            error: document.error,
            title: document.title,
            chunk_count: document.chunk_count,
            tags: document.tags,
            metadata: document.metadata,
            revision: document.revision,
            version: document.version,
            created_at: document.created_at,
            updated_at: document.updated_at,
        }
    }
}

/// A document that is read in the background.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentAccepted {
    /// The document as it is now.
    pub document: DocumentView,
    /// What to ask for: the document's id. Its status says how far it is.
    pub operation_id: Uuid,
}

impl From<Document> for DocumentAccepted {
    fn from(document: Document) -> Self {
        Self { operation_id: document.id.uuid(), document: document.into() }
    }
}

/// A new document, as `text` or as `content_base64`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentCreate {
    /// The collection that it goes into.
    pub collection_id: Uuid,
    /// What it is called, best with its extension: 1 to 200 characters.
    #[schema(example = "press-manual.md", min_length = 1, max_length = 200)]
    #[validate(custom(function = "a_title"))]
    pub name: String,
    /// What it is. The content decides where it can; this, or else the extension of the name, tells kinds of text apart.
    #[schema(example = "text/markdown", min_length = 1, max_length = 255)]
    #[validate(custom(function = "a_media_type"))]
    pub media_type: Option<String>,
    /// What it says, of a document that is text.
    #[schema(example = "# Press\n\nOil the press each week.", min_length = 1)]
    #[validate(length(min = 1, message = "Give it at least one character."))]
    pub text: Option<String>,
    /// Its bytes in base64, up to 20 MiB of them.
    #[schema(content_encoding = "base64", min_length = 1)]
    #[validate(length(min = 1, message = "Give it at least one byte."))]
    pub content_base64: Option<String>,
    /// Up to 32. Searches can ask for them.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["press"]))]
    #[validate(custom(function = "some_tags"))]
    pub tags: Vec<String>,
    /// Up to 32 fields and 8 KiB. Searches can ask for its texts, numbers and booleans.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[validate(custom(function = "some_metadata"))]
    pub metadata: Map<String, Value>,
}

impl DocumentCreate {
    pub fn into_upload(self) -> Result<Upload, Error> {
        let content = match (self.text, self.content_base64) {
            (Some(text), None) => Content::Text(text),
            (None, Some(content)) => Content::Base64(content),
            (None, None) => return Err(Error::field("text", "missing", "Give either text or content_base64.")),
            (Some(_), Some(_)) => return Err(Error::field("text", "conflict", "Give either text or content_base64.")),
        };
        Ok(Upload {
            collection: CollectionId::from_uuid(self.collection_id),
            name: self.name,
            media_type: self.media_type,
            content,
            tags: self.tags,
            metadata: self.metadata,
        })
    }
}

/// Which documents are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DocumentQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
    /// Only those of this collection.
    pub collection_id: Option<Uuid>,
    /// Only those that are so far.
    pub status: Option<Status>,
}

impl DocumentQuery {
    pub fn into_parts(self) -> (Page, Wanted) {
        let wanted = Wanted { collection: self.collection_id.map(CollectionId::from_uuid), status: self.status };
        (Page::new(self.limit, self.cursor), wanted)
    }
}

/// A part of a document, as it is found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChunkView {
    /// The chunk's id, by which a search finds it.
    pub id: Uuid,
    /// Its place in the document, from 0.
    #[schema(example = 0)]
    pub position: i64,
    /// The headings above it, the outermost first.
    #[schema(example = json!(["Press", "Maintenance"]))]
    pub heading_path: Vec<String>,
    /// What it says, with the headings in its first line.
    #[schema(example = "Press > Maintenance\nOil the press each week.")]
    pub text: String,
}

impl From<Chunk> for ChunkView {
    fn from(chunk: Chunk) -> Self {
        Self { id: chunk.id.uuid(), position: chunk.position, heading_path: chunk.heading_path, text: chunk.text }
    }
}

/// Which chunks are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChunkQuery {
    /// How many items at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 25, required = false)]
    pub limit: Limit,
    /// Where to go on: `next_cursor` of the answer before.
    #[validate(length(min = 1, max = 512))]
    #[param(max_length = 512)]
    pub cursor: Option<String>,
}

impl ChunkQuery {
    pub fn into_page(self) -> Page {
        Page::new(self.limit, self.cursor)
    }
}

fn a_media_type(text: &str) -> Result<(), ValidationError> {
    let fine =
        (1..=255).contains(&text.len()) && text.contains('/') && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    check(fine, "media_type", "Give it as in text/markdown, in at most 255 characters.")
}
