//! Somebody has something forgotten.

use contracts::{MemoryId, OrgId, Origin, UserId};
use db::{diesel::PgConnection, outbox};
use kit::{ExpectedVersion, Ids};

use super::get_memory::locked;
use crate::{
    domain::{
        access::{Allowed, Write},
        entry::EntryId,
        memory::{Change, Turn},
    },
    error::Error,
    state::AppState,
    store::{entries, memories, memory_history},
};

/// Its text goes from everywhere, its history included. One that is not there is no error.
pub async fn delete_memory(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: MemoryId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let (allowed, ids) = (*allowed, state.ids.clone());
    let deleted = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let memory = match locked(conn, &allowed, id) {
                Err(Error::MemoryNotFound(_)) => return Ok(()),
                memory => memory?,
            };
            expected.check(memory.version)?;
            forget_memories(conn, &*ids, &origin, allowed.org, &[id])
        })
        .await;
    state.signals.entries_changed();
    deleted
}

/// Forgets memories for good: rows, entries, vectors, the texts of their history.
pub(super) fn forget_memories(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    org: OrgId,
    forgotten: &[MemoryId],
) -> Result<(), Error> {
    let actor = origin.actor.map(UserId::from_uuid);
    for id in forgotten {
        let Some(memory) = memories::lock_in_org(conn, org, *id)? else { continue };
        memories::delete(conn, org, *id)?;
        let version = memory.version + 1;
        let turn =
            Turn { version, change: Change::Forgotten, old_text: None, new_text: None, by: None, actor, at: origin.at };
        memory_history::insert(conn, org, *id, &turn)?;
        let origin = contracts::Origin { org: Some(org), ..origin.clone() };
        outbox::append(conn, ids, &origin, version, &memory.forgotten(origin.at))?;
    }
    memory_history::blank(conn, org, forgotten)?;
    let found: Vec<_> = forgotten.iter().map(|id| EntryId(id.uuid())).collect();
    Ok(entries::forget(conn, org, &found, origin.at)?)
}
