//! Somebody signs out, here or everywhere.

use db::diesel::PgConnection;
use kit::Principal;

use super::sessions::end;
use crate::{
    domain::session::{Device, Reason},
    error::Error,
    state::AppState,
    store::sessions,
};

/// Ends the caller's session. Its access tokens are refused from now on; doing it twice changes nothing.
pub async fn log_out(state: &AppState, who: &Principal, device: Device) -> Result<(), Error> {
    let (origin, inner, who) = (who.origin(&*state.clock), state.clone(), who.clone());
    let at = origin.at;
    let ended = state
        .db
        .person(who.user)
        .tx(move |conn| match sessions::lock(conn, who.user, who.session)? {
            Some(session) => end(conn, &inner, &origin, session, Reason::Logout, &device),
            None => Ok(None),
        })
        .await?;
    state.deny(ended.as_slice(), at);
    Ok(())
}

/// Ends every session of the caller.
pub async fn log_out_everywhere(state: &AppState, who: &Principal, device: Device) -> Result<(), Error> {
    let (origin, inner, user) = (who.origin(&*state.clock), state.clone(), who.user);
    let at = origin.at;
    let ended = state
        .db
        .person(user)
        .tx(move |conn: &mut PgConnection| {
            let mut ended = Vec::new();
            for session in sessions::lock_open(conn, user)? {
                ended.extend(end(conn, &inner, &origin, session, Reason::LogoutAll, &device)?);
            }
            Ok::<_, Error>(ended)
        })
        .await?;
    state.deny(&ended, at);
    Ok(())
}
