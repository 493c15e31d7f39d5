//! Somebody has something remembered, as it is.

use contracts::{MemoryId, OrgId, Origin, UserId};
use db::{
    diesel::PgConnection,
    idempotency::{self, Answer, Answered},
    outbox,
};
use kit::{Ids, NewId as _};

use super::get_memory::locked;
use crate::{
    domain::{
        access::{Allowed, Refused, Write},
        memory::{Change, Memory, NewMemory, Turn},
    },
    error::Error,
    state::AppState,
    store::{entries, memories, memory_history},
};

/// What is remembered in the same words for the same scope already is not remembered twice: the answer is that memory. What
/// it `supersedes` ends where it begins. With a `request` a repetition gets the first answer, which is why the answer is
/// made here, in the transaction.
pub async fn add_memory(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    new: NewMemory,
    supersedes: Vec<MemoryId>,
    request: Option<idempotency::Request>,
    answer: fn(Memory) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    if !allowed.sees(new.belonging.subject.as_deref()) {
        return Err(Refused::Subject.into());
    }
    let (allowed, ids) = (*allowed, state.ids.clone());
    let answered = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                let remembered = remember(conn, &*ids, &allowed, &origin, new, &supersedes)?;
                answer(remembered.memory).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.signals.entries_changed();
    Ok(answered)
}

/// What is remembered.
#[derive(Clone, Debug)]
pub struct Remembered {
    pub memory: Memory,
    /// Not the same as before.
    pub is_new: bool,
}

/// Adds a memory in this transaction, unless the same is remembered; then what it supersedes ends where it begins.
pub(super) fn remember(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    allowed: &Allowed<Write>,
    origin: &Origin,
    new: NewMemory,
    supersedes: &[MemoryId],
) -> Result<Remembered, Error> {
    let remembered = add(conn, ids, allowed.org, allowed.user, origin, new)?;
    if remembered.is_new {
        for id in supersedes {
            let old = locked(conn, allowed, *id)?;
            replace(conn, ids, origin, old, &remembered.memory)?;
        }
    }
    Ok(remembered)
}

/// Adds a memory in this transaction for `by`, unless the same is remembered.
pub(super) fn add(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    org: OrgId,
    by: UserId,
    origin: &Origin,
    new: NewMemory,
) -> Result<Remembered, Error> {
    let (memory, added) = Memory::add(ids.new(), org, new, by, origin.at)?;
    memories::lock_same(conn, org, memory.text_hash())?;
    if let Some(same) = memories::find_same(conn, &memory)? {
        return Ok(Remembered { memory: same, is_new: false });
    }
    memories::insert(conn, &memory)?;
    entries::put(conn, &[&memory.entry()])?;
    let (at, actor) = (origin.at, origin.actor.map(UserId::from_uuid));
    let text = Some(memory.text.clone());
    let turn = Turn { version: 1, change: Change::Added, old_text: None, new_text: text, by: None, actor, at };
    memory_history::insert(conn, org, memory.id, &turn)?;
    outbox::append(conn, ids, origin, memory.version, &added)?;
    Ok(Remembered { memory, is_new: true })
}

/// Ends a memory that this transaction has locked where `memory` begins, which holds instead.
pub(super) fn replace(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    old: Memory,
    memory: &Memory,
) -> Result<(), Error> {
    let (at, actor) = (origin.at, origin.actor.map(UserId::from_uuid));
    let old_text = Some(old.text.clone());
    let (old, event) = old.supersede(memory.id, memory.valid_from, at);
    memories::update(conn, &old)?;
    entries::put(conn, &[&old.entry()])?;
    let new_text = Some(memory.text.clone());
    let by = Some(memory.id);
    let turn = Turn { version: old.version, change: Change::Superseded, old_text, new_text, by, actor, at };
    memory_history::insert(conn, old.org, old.id, &turn)?;
    outbox::append(conn, ids, origin, old.version, &event)?;
    Ok(())
}
