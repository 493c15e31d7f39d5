//! Somebody looks at a document.

use contracts::DocumentId;
use db::diesel::PgConnection;

use crate::{
    domain::{
        access::{Allowed, Read, Write},
        document::Document,
    },
    error::Error,
    state::AppState,
    store::documents,
};

/// A document of somebody else does not exist for the caller.
pub async fn get_document(state: &AppState, allowed: &Allowed<Read>, id: DocumentId) -> Result<Document, Error> {
    let allowed = *allowed;
    state.db.tenant(allowed.org).tx(move |conn| visible(conn, &allowed, id)).await
}

/// The document, if it exists for the caller.
pub(super) fn visible(conn: &mut PgConnection, allowed: &Allowed<Read>, id: DocumentId) -> Result<Document, Error> {
    seen(allowed, id, documents::find_in_org(conn, allowed.org, id)?)
}

/// The same, and nobody else changes it until this transaction ends.
pub(super) fn locked(conn: &mut PgConnection, allowed: &Allowed<Write>, id: DocumentId) -> Result<Document, Error> {
    seen(allowed, id, documents::lock_in_org(conn, allowed.org, id)?)
}

fn seen<A>(allowed: &Allowed<A>, id: DocumentId, found: Option<Document>) -> Result<Document, Error> {
    found.filter(|document| allowed.sees(document.subject.as_deref())).ok_or(Error::DocumentNotFound(id))
}
