//! Somebody has a collection forgotten.

use contracts::{CollectionId, Origin};
use db::outbox;
use kit::ExpectedVersion;

use super::{delete_document::forget_chunks, get_collection::locked};
use crate::{
    domain::access::{Allowed, Write},
    error::Error,
    state::AppState,
    store::{collections, documents},
};

/// Its documents go with it. One that is not there is no error.
pub async fn delete_collection(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: CollectionId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let (allowed, ids) = (*allowed, state.ids.clone());
    let deleted = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let collection = match locked(conn, &allowed, id) {
                Err(Error::CollectionNotFound(_)) => return Ok(()),
                collection => collection?,
            };
            expected.check(collection.version)?;
            let all = documents::lock_of_collection(conn, allowed.org, id)?;
            let chunks = forget_chunks(conn, allowed.org, &all, origin.at)?;
            collections::delete(conn, allowed.org, id)?;
            let event = collection.forgotten(chunks, origin.at);
            outbox::append(conn, &*ids, &origin, collection.version + 1, &event)?;
            Ok(())
        })
        .await;
    state.signals.entries_changed();
    deleted
}
