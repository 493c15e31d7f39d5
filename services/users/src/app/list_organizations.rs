//! The organizations somebody belongs to.

use contracts::{Role, UserId};
use kit::http::Limit;

use crate::{
    domain::organization::Organization,
    error::Error,
    state::AppState,
    store::organizations::{self, After},
};

/// One more than `limit` is fetched, so that the caller knows whether there is a next page.
pub async fn list_organizations(
    state: &AppState,
    who: UserId,
    after: Option<After>,
    limit: Limit,
) -> Result<Vec<(Organization, Role)>, Error> {
    state.db.person(who).tx(move |conn| Ok(organizations::list_of(conn, who, after, i64::from(limit) + 1)?)).await
}
