//! Where somebody is signed in.

use kit::Principal;

use crate::{domain::session::Session, error::Error, state::AppState, store::sessions};

/// The caller's live sessions, the last used first.
pub async fn list_sessions(state: &AppState, who: &Principal) -> Result<Vec<Session>, Error> {
    let (user, now) = (who.user, state.clock.now());
    state.db.person(user).tx(move |conn| Ok(sessions::list_live(conn, user, now)?)).await
}
