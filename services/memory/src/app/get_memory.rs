//! Somebody looks at a memory.

use contracts::MemoryId;
use db::diesel::PgConnection;

use crate::{
    domain::{
        access::{Action, Allowed, Read},
        memory::Memory,
    },
    error::Error,
    state::AppState,
    store::memories,
};

/// A memory of somebody else does not exist for the caller.
pub async fn get_memory(state: &AppState, allowed: &Allowed<Read>, id: MemoryId) -> Result<Memory, Error> {
    let allowed = *allowed;
    state.db.tenant(allowed.org).tx(move |conn| seen(&allowed, id, memories::find_in_org(conn, allowed.org, id)?)).await
}

/// The memory, if it exists for the caller; nobody else changes it until this transaction ends.
pub(super) fn locked<A: Action>(conn: &mut PgConnection, allowed: &Allowed<A>, id: MemoryId) -> Result<Memory, Error> {
    seen(allowed, id, memories::lock_in_org(conn, allowed.org, id)?)
}

fn seen<A>(allowed: &Allowed<A>, id: MemoryId, found: Option<Memory>) -> Result<Memory, Error> {
    found.filter(|memory| allowed.sees(memory.belonging.subject.as_deref())).ok_or(Error::MemoryNotFound(id))
}
