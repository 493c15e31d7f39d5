//! Somebody ends one of their sessions, here or on another device.

use contracts::SessionId;
use kit::Principal;

use super::sessions::end;
use crate::{
    domain::session::{Device, Reason},
    error::Error,
    state::AppState,
    store::sessions,
};

/// One that ended before stays as it is; one that is not the caller's does not exist.
pub async fn revoke_session(state: &AppState, who: &Principal, id: SessionId, device: Device) -> Result<(), Error> {
    let (origin, inner, user) = (who.origin(&*state.clock), state.clone(), who.user);
    let at = origin.at;
    let ended = state
        .db
        .person(user)
        .tx(move |conn| {
            let session = sessions::lock(conn, user, id)?.ok_or(Error::SessionNotFound(id))?;
            end(conn, &inner, &origin, session, Reason::UserRevoked, &device)
        })
        .await?;
    state.deny(ended.as_slice(), at);
    Ok(())
}
