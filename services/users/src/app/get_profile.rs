//! A person reads their own profile.

use kit::{Principal, auth::AccessToken};

use super::welcome_user::welcome_user;
use crate::{domain::profile::Profile, error::Error, state::AppState, store::profiles};

/// In the first moments after registration the event may still be on its way: then auth is asked with the person's own
/// token, and the person is welcomed here and now. Whoever comes second, this call or the event, changes nothing.
pub async fn get_profile(state: &AppState, who: &Principal, token: &AccessToken) -> Result<Profile, Error> {
    let user = who.user;
    let found = state.db.person(user).tx(move |conn| Ok::<_, Error>(profiles::find(conn, user)?)).await?;
    if let Some(profile) = found {
        return Ok(profile);
    }
    let registration = state.directory.registration_of(token).await?;
    // A token is for one person, and auth answers about its bearer.
    if registration.user != user {
        return Err(Error::ProfileNotReady);
    }
    let origin = who.origin(&*state.clock);
    let ids = state.ids.clone();
    state
        .db
        .tenant(registration.personal_org)
        .as_user(user)
        .tx(move |conn| {
            welcome_user(conn, &*ids, &origin, registration)?;
            profiles::find(conn, user)?.ok_or(Error::ProfileNotReady)
        })
        .await
}
