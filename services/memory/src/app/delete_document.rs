//! Somebody has a document forgotten.

use chrono::{DateTime, Utc};
use contracts::{DocumentId, OrgId, Origin};
use db::{diesel::PgConnection, outbox};
use kit::ExpectedVersion;

use super::get_document::locked;
use crate::{
    domain::access::{Allowed, Write},
    error::Error,
    state::AppState,
    store::{chunks, documents, entries},
};

/// Entries that one statement forgets.
const BATCH: usize = 2_000;

/// What was uploaded goes, and everything that was made of it. One that is not there is no error.
pub async fn delete_document(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: DocumentId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let (allowed, ids) = (*allowed, state.ids.clone());
    let deleted = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let document = match locked(conn, &allowed, id) {
                Err(Error::DocumentNotFound(_)) => return Ok(()),
                document => document?,
            };
            expected.check(document.version)?;
            let chunks = forget_chunks(conn, allowed.org, &[id], origin.at)?;
            documents::delete(conn, allowed.org, id)?;
            outbox::append(conn, &*ids, &origin, document.version + 1, &document.forgotten(chunks, origin.at))?;
            Ok(())
        })
        .await;
    state.signals.entries_changed();
    deleted
}

/// Forgets what documents say; in how many chunks they said it. The documents have to be locked.
pub(super) fn forget_chunks(
    conn: &mut PgConnection,
    org: OrgId,
    documents: &[DocumentId],
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let found = chunks::delete_of(conn, org, documents)?;
    for batch in found.chunks(BATCH) {
        entries::forget(conn, org, batch, now)?;
    }
    Ok(found.len())
}
