//! One's own API keys in an organization; for an admin, everybody's.

use contracts::Role;
use kit::Principal;

use crate::{
    domain::api_key::{ApiKey, Filter},
    error::Error,
    state::AppState,
    store::api_keys::{self, After},
};

/// The newest first, one more than `limit` when there are more. A filter without an owner is for admins.
pub async fn list_api_keys(
    state: &AppState,
    who: &Principal,
    filter: Filter,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    if filter.owner != Some(who.user) && who.role < Role::Admin {
        return Err(Error::RoleInsufficient { role: who.role, action: "list the keys of others" });
    }
    let (org, now) = (who.org, state.clock.now());
    let listing =
        move |conn: &mut db::diesel::PgConnection| Ok(api_keys::page(conn, org, filter, now, after, limit + 1)?);
    state.db.tenant(who.org).as_user(who.user).tx(listing).await
}
