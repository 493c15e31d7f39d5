//! Somebody corrects a memory.

use contracts::{MemoryId, Origin};
use kit::ExpectedVersion;

use super::get_memory::locked;
use crate::{
    domain::{
        access::{Allowed, Write},
        memory::{Change, Memory, MemoryChange, Turn},
    },
    error::Error,
    state::AppState,
    store::{entries, memories, memory_history},
};

/// Only at version `expected`, if one is given.
pub async fn update_memory(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    id: MemoryId,
    change: MemoryChange,
    expected: ExpectedVersion,
) -> Result<Memory, Error> {
    let allowed = *allowed;
    let updated = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let memory = locked(conn, &allowed, id)?;
            expected.check(memory.version)?;
            let old_text = Some(memory.text.clone());
            let memory = memory.change(change, origin.at)?;
            memories::update(conn, &memory)?;
            entries::put(conn, &[&memory.entry()])?;
            let turn = Turn {
                version: memory.version,
                change: Change::Updated,
                old_text,
                new_text: Some(memory.text.clone()),
                by: None,
                actor: Some(allowed.user),
                at: origin.at,
            };
            memory_history::insert(conn, allowed.org, id, &turn)?;
            Ok(memory)
        })
        .await;
    state.signals.entries_changed();
    updated
}
