//! Somebody who may change a provider reads it. Addresses of the installation's providers are no business of anybody else.

use contracts::{ProviderId, Scope};
use db::Scope as DbScope;
use kit::Principal;

use crate::{
    domain::{
        access::{self, Realm, Refused},
        provider::ProviderRecord,
    },
    error::Error,
    state::AppState,
    store::providers,
};

pub async fn get_provider(state: &AppState, who: &Principal, id: ProviderId) -> Result<ProviderRecord, Error> {
    let org = who.org;
    let scope = seen_by(state, who)?;
    let operates = is_operator(state, who);
    let stored = scope.tx::<_, Error, _>(move |conn| Ok(providers::find(conn, org, id)?)).await?;
    let built_in = || state.catalog.installation().records().into_iter().find(|known| operates && known.id == id);
    stored.or_else(built_in).ok_or(Error::ProviderNotFound(id))
}

/// Whether the caller may change what belongs to the installation.
pub(super) fn is_operator(state: &AppState, who: &Principal) -> bool {
    access::may_change(who, Realm::Global, state.operator).is_ok()
}

/// Where the providers are that the caller may see: their organization's, for an operator the installation's as well.
pub(super) fn seen_by(state: &AppState, who: &Principal) -> Result<DbScope, Error> {
    if is_operator(state, who) {
        Ok(state.db.system("installation"))
    } else if who.scopes.contains(Scope::AiWrite) {
        Ok(state.db.tenant(who.org))
    } else {
        Err(Refused::Scope(Scope::AiWrite).into())
    }
}
