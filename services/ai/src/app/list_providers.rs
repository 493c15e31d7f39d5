//! The providers that somebody may change: their organization's, for an operator also those of the installation.

use kit::Principal;

use super::get_provider::{is_operator, seen_by};
use crate::{
    domain::provider::ProviderRecord,
    error::Error,
    state::AppState,
    store::providers::{self, After},
};

/// The oldest first, those of the environment before all, at most `limit`.
pub async fn list_providers(
    state: &AppState,
    who: &Principal,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<ProviderRecord>, Error> {
    let (org, rows) = (who.org, i64::try_from(limit).unwrap_or(i64::MAX));
    let scope = seen_by(state, who)?;
    let mut found = scope.tx::<_, Error, _>(move |conn| Ok(providers::page(conn, org, after, rows)?)).await?;
    if is_operator(state, who) {
        let position = |provider: &ProviderRecord| (provider.created_at, provider.id);
        let built_in = state.catalog.installation().records();
        found.extend(built_in.into_iter().filter(|known| after.is_none_or(|after| position(known) > after)));
        found.sort_by_key(position);
        found.truncate(limit);
    }
    Ok(found)
}
