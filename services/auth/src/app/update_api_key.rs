//! Somebody changes the name of an API key, or what it allows.

use contracts::{ApiKeyId, Origin};
use db::diesel::PgConnection;
use kit::{ExpectedVersion, Principal};
use serde_json::json;

use super::api_keys::{By, authority, described, fresh, hold, tell, within};
use crate::{
    domain::{
        access::ChangeKey,
        api_key::{ApiKey, Grant, KeyEdit, check_expiry},
        session::Device,
    },
    error::Error,
    state::AppState,
    store::api_keys,
};

/// `expected` is the `If-Match` of the caller.
pub async fn update_api_key(
    state: &AppState,
    who: &Principal,
    id: ApiKeyId,
    edit: KeyEdit,
    expected: ExpectedVersion,
    device: Device,
) -> Result<ApiKey, Error> {
    let origin = who.origin(&*state.clock);
    check_expiry(edit.expires_at.flatten(), origin.at)?;
    let (inner, caller, by) = (state.clone(), who.clone(), By::new(who, device));
    let changing = move |conn: &mut PgConnection| change(conn, &inner, &origin, &caller, id, edit, expected, &by);
    state.db.tenant(who.org).as_user(who.user).tx(changing).await
}

#[expect(clippy::too_many_arguments, reason = "the parts of one change, made by the only caller")]
fn change(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    who: &Principal,
    id: ApiKeyId,
    edit: KeyEdit,
    expected: ExpectedVersion,
    by: &By,
) -> Result<ApiKey, Error> {
    let before = hold::<ChangeKey>(conn, who, id)?.key;
    expected.check(before.version)?;
    let (after, event) = before.clone().edit(edit, origin.at)?;
    let Some(event) = event else { return Ok(after) };
    if !after.grant.beyond(&before.grant).is_empty() {
        fresh(who, origin)?;
    }
    let authority = authority(conn, who, origin)?;
    within(&given(who, &before.grant, &after.grant), &authority)?;
    api_keys::update(conn, &after)?;
    let details = json!({"from": described(&before.grant), "to": described(&after.grant)});
    tell(conn, state, origin, &after, &event, ("api_key.updated", details), by)?;
    Ok(after)
}

/// What a change gives. Scopes that a person's key has already are not given again: their role may allow less than when they
/// made it. A key answers for all that the changed key will have.
fn given(who: &Principal, before: &Grant, after: &Grant) -> Grant {
    if who.api_key.is_some() {
        return after.clone();
    }
    let scopes = after.scopes.iter().filter(|scope| !before.scopes.contains(*scope)).collect();
    Grant { scopes, ..after.clone() }
}
