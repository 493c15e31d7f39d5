//! Somebody uploads a document.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contracts::{CollectionId, Origin};
use db::idempotency::{self, Answer, Answered};
use kit::NewId as _;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::get_collection::held;
use crate::{
    documents::{Format, Refused},
    domain::{
        access::{Allowed, Write},
        document::{Document, LARGEST, NewDocument},
    },
    error::Error,
    state::AppState,
    store::documents,
};

/// A document as it came.
#[derive(Debug)]
pub struct Upload {
    pub collection: CollectionId,
    pub name: String,
    pub media_type: Option<String>,
    pub content: Content,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
}

/// What a document is, in one of two spellings.
#[derive(Debug)]
pub enum Content {
    Text(String),
    Base64(String),
}

/// What is not a document that can be read is refused here, as far as a glance at it tells; everything else is read
/// later. The same bytes are one document of a collection: the answer is the one that is there. With a `request` a
/// repetition gets the first answer, which is why the answer is made here, in the transaction.
pub async fn add_document(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    upload: Upload,
    request: Option<idempotency::Request>,
    answer: fn(Document) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let collection = upload.collection;
    // Some ten milliseconds for the largest one.
    let looked = tokio::task::spawn_blocking(move || look(upload)).await;
    let (new, content) = looked.map_err(|_| Error::Db(db::Error::Busy))??;
    let (allowed, id) = (*allowed, state.ids.new());
    let answered = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let collection = held(conn, &allowed, collection)?;
                let document = Document::new(id, &collection, new, allowed.user, origin.at);
                if let Some(same) = documents::find_same(conn, &document)? {
                    return answer(same).map_err(|error| Error::Db(error.into()));
                }
                documents::insert(conn, &document, &content)?;
                answer(document).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.signals.documents.notify_one();
    Ok(answered)
}

fn look(upload: Upload) -> Result<(NewDocument, Vec<u8>), Error> {
    let content = match upload.content {
        Content::Text(text) => text.into_bytes(),
        Content::Base64(text) => STANDARD.decode(text).map_err(|_| {
            Error::field("content_base64", "base64", "Give it in base64 with the standard alphabet and padding.")
        })?,
    };
    if content.len() > LARGEST {
        return Err(Refused::TooLarge.into());
    }
    let format = Format::detect(&content, upload.media_type.as_deref(), Some(&upload.name))?;
    let new = NewDocument {
        name: upload.name,
        media_type: upload.media_type,
        format,
        bytes: i64::try_from(content.len()).unwrap_or(i64::MAX),
        sha256: Sha256::digest(&content).into(),
        tags: upload.tags,
        metadata: upload.metadata,
    };
    Ok((new, content))
}
