//! The collections within reach.

use kit::http::Limit;

use crate::{
    domain::{
        access::{Allowed, Read},
        collection::{Collection, Wanted},
    },
    error::Error,
    state::AppState,
    store::collections::{self, After},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page.
pub async fn list_collections(
    state: &AppState,
    allowed: &Allowed<Read>,
    wanted: Wanted,
    after: Option<After>,
    limit: Limit,
) -> Result<Vec<Collection>, Error> {
    let (org, reach) = (allowed.org, allowed.reach);
    let limit = i64::from(limit) + 1;
    state.db.tenant(org).tx(move |conn| Ok(collections::list_in_org(conn, org, reach, &wanted, after, limit)?)).await
}
