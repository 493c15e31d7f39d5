//! Every account in pages: what a new consumer builds its projection from before it follows the events.

use crate::{
    domain::{
        access::{Allowed, ReadUsers},
        user::User,
    },
    error::Error,
    state::AppState,
    store::users::{self, After},
};

/// Oldest first; one more than `limit`, so that the caller knows whether there is a next page.
pub async fn snapshot_users(
    state: &AppState,
    _: Allowed<ReadUsers>,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<User>, Error> {
    state.db.system("snapshot_users").tx(move |conn| Ok(users::page(conn, after, limit + 1)?)).await
}
