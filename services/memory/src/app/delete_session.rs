//! Somebody has a conversation forgotten.

use contracts::{MemorySessionId, Origin};
use db::{diesel::PgConnection, outbox};
use kit::{ExpectedVersion, Ids};

use super::{delete_memory::forget_memories, get_session::locked};
use crate::{
    domain::{
        access::{Allowed, Write},
        entry::EntryId,
        filter::Reach,
        forgetting::Forgetting,
        session::Session,
    },
    error::Error,
    state::AppState,
    store::{entries, forgetting, memories, messages, sessions},
};

/// Its turns go, and with them the memories that were taken from them alone. One that is not there is no error.
pub async fn delete_session(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: MemorySessionId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let (allowed, ids) = (*allowed, state.ids.clone());
    let deleted = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let session = match locked(conn, &allowed, id) {
                Err(Error::SessionNotFound(_)) => return Ok(()),
                session => session?,
            };
            expected.check(session.version)?;
            forget_session(conn, &*ids, &origin, allowed.reach, &session)
        })
        .await;
    state.signals.entries_changed();
    deleted
}

/// Forgets a session that this transaction has locked, for good.
pub(super) fn forget_session(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    reach: Reach,
    session: &Session,
) -> Result<(), Error> {
    let (org, id) = (session.org, session.id);
    let turns = messages::delete_of_session(conn, org, id)?;
    let found: Vec<_> = turns.iter().map(|turn| EntryId(turn.uuid())).collect();
    entries::forget(conn, org, &found, origin.at)?;
    let belongs = Forgetting { session: Some(id), ..Forgetting::default() };
    forgetting::drop_waiting(conn, org, reach, &belongs)?;
    let derived = memories::derived_from(conn, org, reach, id, &turns)?;
    forget_memories(conn, ids, origin, org, &derived)?;
    memories::forget_sources(conn, org, reach, &turns, origin.at)?;
    sessions::forget_summaries_of_forks(conn, org, id, origin.at)?;
    sessions::delete(conn, org, id)?;
    outbox::append(conn, ids, origin, session.version + 1, &session.forgotten(found.len(), origin.at))?;
    Ok(())
}
