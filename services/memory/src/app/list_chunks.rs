//! What a document says, in the parts that are found.

use contracts::DocumentId;
use kit::http::Limit;

use super::get_document::visible;
use crate::{
    domain::{
        access::{Allowed, Read},
        document::Chunk,
    },
    error::Error,
    state::AppState,
    store::chunks,
};

/// The chunks after position `after`; one more than `limit` is fetched, so that the caller knows whether there is a next
/// page.
pub async fn list_chunks(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: DocumentId,
    after: Option<i64>,
    limit: Limit,
) -> Result<Vec<Chunk>, Error> {
    let (allowed, limit) = (*allowed, i64::from(limit) + 1);
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            visible(conn, &allowed, id)?;
            Ok(chunks::list_of(conn, allowed.org, id, after, limit)?)
        })
        .await
}
