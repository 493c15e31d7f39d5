//! What is remembered within reach, by pages that have numbers.

use crate::{
    domain::{
        access::{Allowed, Read},
        memory::Memory,
        selection::Selection,
    },
    error::Error,
    state::AppState,
    store::{memories, selections},
};

/// A page, and how many memories there are on all of them.
#[derive(Debug)]
pub struct Page {
    pub memories: Vec<Memory>,
    pub total: i64,
}

/// Memories that hold now and pass one of the selections, the newest first: `limit` after `skip`.
pub async fn page_memories(
    state: &AppState,
    allowed: &Allowed<Read>,
    any: Vec<Selection>,
    (skip, limit): (i64, i64),
) -> Result<Page, Error> {
    let (org, reach, now) = (allowed.org, allowed.reach, state.clock.now());
    state
        .db
        .tenant(org)
        .tx(move |conn| {
            let (ids, total) = selections::page(conn, (org, reach), &any, now, (skip, limit))?;
            let mut known = memories::find_all(conn, org, &ids)?;
            Ok(Page { memories: ids.iter().filter_map(|id| known.remove(id)).collect(), total })
        })
        .await
}
