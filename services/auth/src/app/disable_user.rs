//! An operator closes an account: nobody can sign in to it, and whoever is signed in is not any more.

use contracts::{Origin, UserId};
use db::{diesel::PgConnection, outbox};
use serde_json::json;

use super::{
    api_keys::revoke_all,
    sessions::{Voided, end, note},
};
use crate::{
    domain::{
        access::{Allowed, DisableUser},
        api_key::Reason as KeyReason,
        session::{Device, Reason, tokens_expire_at},
        user::DisableReason,
    },
    error::Error,
    state::AppState,
    store::{
        api_keys::Of,
        revocations::{self, Revocation, Voids},
        sessions, users,
    },
};

/// Doing it twice changes nothing.
pub async fn disable_user(
    state: &AppState,
    _: Allowed<DisableUser>,
    user: UserId,
    reason: DisableReason,
    device: Device,
) -> Result<(), Error> {
    let (origin, inner) = (state.origin(None, None), state.clone());
    let at = origin.at;
    let disabling = move |conn: &mut PgConnection| disable(conn, &inner, &origin, user, reason, &device);
    let ended = state.db.system("disable_user").tx(disabling).await?;
    if let Some(voided) = ended {
        voided.deny(state, at);
        state.verifier.deny_list().deny_user(user, at, tokens_expire_at(at));
    }
    Ok(())
}

/// `None` when it was disabled before.
fn disable(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: UserId,
    reason: DisableReason,
    device: &Device,
) -> Result<Option<Voided>, Error> {
    let found = users::lock(conn, user)?.ok_or(Error::UserNotFound(user))?;
    let Some((found, event)) = found.disable(reason, origin.at) else { return Ok(None) };
    users::set_disabled(conn, &found)?;
    revocations::insert(conn, &Revocation { voids: Voids::User(user), revoked_at: origin.at }, user)?;
    outbox::append(conn, &*state.ids, origin, found.version, &event)?;
    let details = json!({"reason": reason.as_str()});
    note(conn, state, origin, "user.disabled", "user", &user.to_string(), device, details)?;
    let mut sessions = Vec::new();
    for session in sessions::lock_open(conn, user)? {
        sessions.extend(end(conn, state, origin, session, Reason::UserDisabled, device)?);
    }
    let api_keys = revoke_all(conn, state, origin, Of::Person(user), KeyReason::OwnerDisabled)?;
    Ok(Some(Voided { sessions, api_keys }))
}
