//! What became of a memory.

use contracts::MemoryId;
use kit::http::Limit;

use crate::{
    domain::{
        access::{Allowed, Read},
        memory::Turn,
    },
    error::Error,
    state::AppState,
    store::{memories, memory_history},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page. The history of a memory that is
/// forgotten is nobody's any more.
pub async fn list_memory_history(
    state: &AppState,
    allowed: &Allowed<Read>,
    id: MemoryId,
    after: Option<i64>,
    limit: Limit,
) -> Result<Vec<Turn>, Error> {
    let (allowed, limit) = (*allowed, i64::from(limit) + 1);
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let memory = memories::find_in_org(conn, allowed.org, id)?;
            let visible = memory.is_some_and(|memory| allowed.sees(memory.belonging.subject.as_deref()));
            if !visible {
                return Err(Error::MemoryNotFound(id));
            }
            Ok(memory_history::list(conn, allowed.org, id, after, limit)?)
        })
        .await
}
