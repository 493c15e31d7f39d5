//! An admin deletes a provider that no model has a route to. Doing it again is no mistake.

use contracts::ProviderId;
use kit::{ExpectedVersion, Principal};
use serde_json::json;

use super::{
    change::Change,
    get_provider::{get_provider, seen_by},
};
use crate::{
    domain::{
        access::{self, Realm},
        provider::ProviderSource,
    },
    error::Error,
    state::AppState,
    store::{providers, tombstones},
};

pub async fn delete_provider(
    state: &AppState,
    who: &Principal,
    id: ProviderId,
    expected: ExpectedVersion,
) -> Result<(), Error> {
    let known = match get_provider(state, who, id).await {
        Err(Error::ProviderNotFound(_)) => return gone(state, who, id).await,
        known => known?,
    };
    if known.source == ProviderSource::Environment {
        return Err(Error::BuiltIn);
    }
    let change = Change::new(state, who, access::may_change(who, Realm::of(known.org), state.operator)?);
    let owner = change.owner();
    change
        .scope(state)
        .tx(move |conn| {
            let Some(provider) = providers::lock(conn, owner, id)? else { return Ok(()) };
            expected.check(provider.version)?;
            providers::delete(conn, id)?;
            tombstones::insert(conn, owner, id.uuid(), change.at())?;
            let details = json!({"name": provider.name});
            change.note(conn, "provider.deleted", ("provider", &id.to_string()), details)
        })
        .await
}

/// It was there once, or it never was.
async fn gone(state: &AppState, who: &Principal, id: ProviderId) -> Result<(), Error> {
    let org = who.org;
    let was_there =
        seen_by(state, who)?.tx::<_, Error, _>(move |conn| Ok(tombstones::exists(conn, org, id.uuid())?)).await?;
    if was_there { Ok(()) } else { Err(Error::ProviderNotFound(id)) }
}
