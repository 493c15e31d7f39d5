//! Somebody ends an API key for good: its owner, or an admin of its organization.

use contracts::ApiKeyId;
use db::diesel::PgConnection;
use kit::Principal;

use super::api_keys::{By, hold, revoke};
use crate::{
    domain::{access::RevokeKey, api_key::Reason, session::Device},
    error::Error,
    state::AppState,
};

/// One that was revoked before stays as it is. `expected` is the `If-Match` of the caller.
pub async fn revoke_api_key(
    state: &AppState,
    who: &Principal,
    id: ApiKeyId,
    expected: Option<i64>,
    device: Device,
) -> Result<(), Error> {
    let origin = who.origin(&*state.clock);
    let (inner, caller, by, at) = (state.clone(), who.clone(), By::new(who, device), origin.at);
    let ending = move |conn: &mut PgConnection| {
        let key = hold::<RevokeKey>(conn, &caller, id)?.key;
        // Whoever repeats it names the version before, and has what they want.
        if key.revoked.is_none() && expected.is_some_and(|expected| expected != key.version) {
            return Err(Error::VersionMismatch { current: key.version });
        }
        revoke(conn, &inner, &origin, key, Reason::Revoked, &by)
    };
    let ended = state.db.tenant(who.org).as_user(who.user).tx(ending).await?;
    state.deny_api_keys(ended.as_slice(), at);
    Ok(())
}
