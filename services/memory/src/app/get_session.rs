//! Somebody looks at a conversation.

use contracts::MemorySessionId;
use db::diesel::PgConnection;

use crate::{
    domain::{
        access::{Action, Allowed, Read},
        session::Session,
    },
    error::Error,
    state::AppState,
    store::sessions,
};

/// A session of somebody else does not exist for the caller.
pub async fn get_session(state: &AppState, allowed: &Allowed<Read>, id: MemorySessionId) -> Result<Session, Error> {
    let allowed = *allowed;
    state.db.tenant(allowed.org).tx(move |conn| visible(conn, &allowed, id)).await
}

/// The session, if it exists for the caller.
pub(super) fn visible<A: Action>(
    conn: &mut PgConnection,
    allowed: &Allowed<A>,
    id: MemorySessionId,
) -> Result<Session, Error> {
    seen(allowed, id, sessions::find_in_org(conn, allowed.org, id)?)
}

/// Like [`visible`], and nobody else changes it until this transaction ends.
pub(super) fn locked<A: Action>(
    conn: &mut PgConnection,
    allowed: &Allowed<A>,
    id: MemorySessionId,
) -> Result<Session, Error> {
    seen(allowed, id, sessions::lock_in_org(conn, allowed.org, id)?)
}

fn seen<A>(allowed: &Allowed<A>, id: MemorySessionId, found: Option<Session>) -> Result<Session, Error> {
    found.filter(|session| allowed.sees(session.belonging.subject.as_deref())).ok_or(Error::SessionNotFound(id))
}
