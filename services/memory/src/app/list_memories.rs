//! What is remembered within reach.

use kit::http::Limit;

use crate::{
    domain::{
        access::{Allowed, Read},
        memory::{Memory, Wanted},
    },
    error::Error,
    state::AppState,
    store::memories::{self, After},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page.
pub async fn list_memories(
    state: &AppState,
    allowed: &Allowed<Read>,
    wanted: Wanted,
    after: Option<After>,
    limit: Limit,
) -> Result<Vec<Memory>, Error> {
    let (org, reach, now) = (allowed.org, allowed.reach, state.clock.now());
    let limit = i64::from(limit) + 1;
    state.db.tenant(org).tx(move |conn| Ok(memories::list_in_org(conn, org, reach, &wanted, now, after, limit)?)).await
}
