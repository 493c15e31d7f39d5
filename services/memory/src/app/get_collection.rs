//! Somebody looks at a collection.

use contracts::CollectionId;
use db::diesel::PgConnection;

use crate::{
    domain::{
        access::{Allowed, Read, Write},
        collection::Collection,
    },
    error::Error,
    state::AppState,
    store::collections,
};

/// A collection of somebody else does not exist for the caller.
pub async fn get_collection(state: &AppState, allowed: &Allowed<Read>, id: CollectionId) -> Result<Collection, Error> {
    let allowed = *allowed;
    let find = move |conn: &mut PgConnection| seen(&allowed, id, collections::find_in_org(conn, allowed.org, id)?);
    state.db.tenant(allowed.org).tx(find).await
}

/// The collection, if it exists for the caller; nobody else changes it or adds documents until this transaction ends.
pub(super) fn locked(conn: &mut PgConnection, allowed: &Allowed<Write>, id: CollectionId) -> Result<Collection, Error> {
    seen(allowed, id, collections::lock_in_org(conn, allowed.org, id)?)
}

/// Like [`locked`], but it only cannot go until this transaction ends.
pub(super) fn held(conn: &mut PgConnection, allowed: &Allowed<Write>, id: CollectionId) -> Result<Collection, Error> {
    seen(allowed, id, collections::hold_in_org(conn, allowed.org, id)?)
}

fn seen<A>(allowed: &Allowed<A>, id: CollectionId, found: Option<Collection>) -> Result<Collection, Error> {
    found.filter(|collection| allowed.sees(collection.subject.as_deref())).ok_or(Error::CollectionNotFound(id))
}
