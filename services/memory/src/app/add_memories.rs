//! Somebody has several things remembered.

use std::collections::BTreeSet;

use contracts::{MemoryId, Origin};
use db::idempotency::{self, Answer, Answered};

use super::add_memory::{Remembered, remember};
use crate::{
    domain::{
        access::{Allowed, Refused, Write},
        memory::{NewMemory, text_hash},
    },
    error::Error,
    state::AppState,
    store::memories,
};

/// All of them or none, each as if it were added alone. With a `request` a repetition gets the first answer, which is why
/// the answer is made here, in the transaction.
pub async fn add_memories(
    state: &AppState,
    allowed: &Allowed<Write>,
    origin: Origin,
    new: Vec<(NewMemory, Vec<MemoryId>)>,
    request: Option<idempotency::Request>,
    answer: fn(Vec<Remembered>) -> Result<Answer, serde_json::Error>,
) -> Result<Answered, Error> {
    if new.iter().any(|(memory, _)| !allowed.sees(memory.belonging.subject.as_deref())) {
        return Err(Refused::Subject.into());
    }
    let (allowed, ids) = (*allowed, state.ids.clone());
    // In one order for everybody, so that nobody waits for somebody who waits.
    let locks: BTreeSet<_> = new.iter().map(|(memory, _)| text_hash(&memory.text)).collect();
    let answered = state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            idempotency::once(conn, request, |conn| {
                for hash in locks {
                    memories::lock_same(conn, allowed.org, hash)?;
                }
                let mut remembered = Vec::new();
                for (place, (memory, supersedes)) in new.into_iter().enumerate() {
                    let one = remember(conn, &*ids, &allowed, &origin, memory, &supersedes);
                    remembered.push(one.map_err(|error| error.within(&format!("memories[{place}]")))?);
                }
                answer(remembered).map_err(|error| Error::Db(error.into()))
            })
        })
        .await?;
    state.signals.entries_changed();
    Ok(answered)
}
