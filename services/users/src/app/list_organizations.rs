//! The organizations somebody belongs to; for a key, its own.

use contracts::Role;
use kit::{Principal, http::Limit};

use crate::{
    domain::organization::Organization,
    error::Error,
    state::AppState,
    store::organizations::{self, After},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page.
pub async fn list_organizations(
    state: &AppState,
    who: &Principal,
    after: Option<After>,
    limit: Limit,
) -> Result<Vec<(Organization, Role)>, Error> {
    let (user, only) = (who.user, who.confined_to());
    let listing = move |conn: &mut _| Ok(organizations::list_of(conn, user, only, after, i64::from(limit) + 1)?);
    state.db.person(user).tx(listing).await
}
