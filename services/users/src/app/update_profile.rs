//! A person changes their own profile.

use db::outbox;
use kit::{ExpectedVersion, Principal, auth::AccessToken};
use serde_json::{Map, Value};

use super::get_profile::get_profile;
use crate::{
    domain::profile::{self, Profile, ProfileEdit},
    error::Error,
    state::AppState,
    store::profiles,
};

/// The largest that a person's preferences may grow to, as JSON.
const PREFERENCES_MAX_BYTES: usize = 16 * 1024;

/// `expected` is the `If-Match` of the caller; `preferences` is a merge patch on the stored object.
pub async fn update_profile(
    state: &AppState,
    who: &Principal,
    token: &AccessToken,
    edit: ProfileEdit,
    preferences: Option<Map<String, Value>>,
    expected: ExpectedVersion,
) -> Result<Profile, Error> {
    get_profile(state, who, token).await?;
    let user = who.user;
    let origin = who.origin(&*state.clock);
    let ids = state.ids.clone();
    state
        .db
        .person(user)
        .tx(move |conn| {
            let profile = profiles::lock(conn, user)?.ok_or(Error::ProfileNotReady)?;
            expected.check(profile.version)?;
            let edit = ProfileEdit { preferences: merged(&profile, preferences)?, ..edit };
            let (profile, event) = profile.edit(edit, origin.at);
            if let Some(event) = event {
                profiles::update(conn, &profile)?;
                outbox::append(conn, &*ids, &origin, profile.version, &event)?;
            }
            Ok(profile)
        })
        .await
}

fn merged(profile: &Profile, patch: Option<Map<String, Value>>) -> Result<Option<Map<String, Value>>, Error> {
    let Some(patch) = patch else { return Ok(None) };
    let mut preferences = profile.preferences.clone();
    profile::merge(&mut preferences, patch);
    let size = Value::Object(preferences.clone()).to_string().len();
    if size > PREFERENCES_MAX_BYTES {
        return Err(Error::PreferencesTooLarge { bytes: size, max: PREFERENCES_MAX_BYTES });
    }
    Ok(Some(preferences))
}
