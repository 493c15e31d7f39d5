//! Somebody has a conversation forgotten.

use contracts::{MemoryId, MemorySessionId, Origin, memory::v1::MemoryForgotten};
use db::outbox;

use super::{delete_memory::forget_memories, get_session::locked};
use crate::{
    domain::{
        access::{Allowed, Write},
        entry::EntryId,
    },
    error::Error,
    state::AppState,
    store::{entries, memories, messages, sessions},
};

/// Its turns go, and with them the memories that were taken from them alone. One that is not there is no error.
pub async fn delete_session(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: MemorySessionId,
    expected: Option<i64>,
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
            if expected.is_some_and(|version| version != session.version) {
                return Err(Error::VersionMismatch { current: session.version });
            }
            let turns = messages::delete_of_session(conn, allowed.org, id)?;
            let found: Vec<_> = turns.iter().map(|turn| EntryId(turn.uuid())).collect();
            entries::forget(conn, allowed.org, &found, origin.at)?;
            let derived: Vec<MemoryId> = memories::derived_from(conn, allowed.org, id, &turns)?;
            forget_memories(conn, &*ids, &origin, allowed.org, &derived)?;
            sessions::delete(conn, allowed.org, id)?;
            let event = MemoryForgotten {
                memory_id: id.to_string(),
                organization_id: allowed.org.to_string(),
                kind: "session".to_owned(),
                entries: i64::try_from(found.len()).unwrap_or(i64::MAX),
                forgotten_at: Some(origin.at.into()),
            };
            outbox::append(conn, &*ids, &origin, session.version + 1, &event)?;
            Ok(())
        })
        .await;
    state.signals.entries_changed();
    deleted
}
