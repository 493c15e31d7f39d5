//! Somebody has a document read again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::DocumentId;
use db::idempotency::{self, Answer, Answered};

use super::get_document::locked;
use crate::{
    domain::{
        access::{Allowed, Write},
        document::Document,
    },
    error::Error,
    state::AppState,
    store::documents,
};

/// It is made anew from what was uploaded; until that is done, what it said before is found. With a `request` a repetition
/// gets the first answer, which is why the answer is made here, in the transaction.
pub async fn reindex_document(
    state: &AppState,
    allowed: &Allowed<Write>,
    id: DocumentId,
    now: DateTime<Utc>,
    request: Option<idempotency::Request>,
    answer: fn(Document) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    let allowed = *allowed;
    let answered = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let document = locked(conn, &allowed, id)?.reindex(now);
                documents::enqueue(conn, &document, Duration::ZERO)?;
                answer(document).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.signals.documents.notify_one();
    Ok(answered)
}
