//! Somebody ends an API key for good, and with it what came of it: its owner, or an admin of its organization.

use std::iter;

use contracts::ApiKeyId;
use db::diesel::PgConnection;
use kit::{ExpectedVersion, Principal};

use super::api_keys::{By, hold, revoke};
use crate::{
    domain::{access::RevokeKey, api_key::Reason, session::Device},
    error::Error,
    state::AppState,
    store::api_keys,
};

/// Who found a key may have made others with it, or replaced it by one that only they know; all keys that it made or that
/// these made end with it. One that was revoked before stays as it is, and what it made ends all the same. `expected` is the
/// `If-Match` of the caller.
pub async fn revoke_api_key(
    state: &AppState,
    who: &Principal,
    id: ApiKeyId,
    expected: ExpectedVersion,
    device: Device,
) -> Result<(), Error> {
    let origin = who.origin(&*state.clock);
    let (inner, caller, by, at) = (state.clone(), who.clone(), By::new(who, device), origin.at);
    let ending = move |conn: &mut PgConnection| {
        api_keys::hold_making(conn, caller.org)?;
        let key = hold::<RevokeKey>(conn, &caller, id)?.key;
        // Whoever repeats it names the version before, and has what they want.
        if key.revoked.is_none() {
            expected.check(key.version)?;
        }
        let made = api_keys::lock_active_made_by(conn, id, at)?;
        let mut ended = Vec::new();
        for key in iter::once(key).chain(made) {
            ended.extend(revoke(conn, &inner, &origin, key, Reason::Revoked, &by)?);
        }
        Ok::<_, Error>(ended)
    };
    let ended = state.db.tenant(who.org).as_user(who.user).tx(ending).await?;
    state.deny_api_keys(&ended, at);
    Ok(())
}
