//! One API key, without its secret, which nobody has.

use contracts::ApiKeyId;
use kit::Principal;

use super::api_keys::over;
use crate::{
    domain::{access::SeeKey, api_key::ApiKey},
    error::Error,
    state::AppState,
    store::api_keys,
};

/// One's own, or for an admin any of the organization's.
pub async fn get_api_key(state: &AppState, who: &Principal, id: ApiKeyId) -> Result<ApiKey, Error> {
    let caller = who.clone();
    let reading = move |conn: &mut db::diesel::PgConnection| {
        let key = api_keys::find(conn, caller.org, id)?.ok_or(Error::ApiKeyNotFound(id))?;
        Ok(over::<SeeKey>(key, &caller)?.key)
    };
    state.db.tenant(who.org).as_user(who.user).tx(reading).await
}
