//! Somebody replaces their password.
//!
//! The current password in the same request is the fresh authentication that a sensitive change needs, so the age of the
//! token does not matter; guessing it with a stolen token is counted like guessing at a login.

use contracts::{Origin, SessionId, UserId, auth::v1::PasswordChanged};
use db::{diesel::PgConnection, outbox};
use kit::{Principal, Secret};
use serde_json::json;

use super::{
    attempts::Counters,
    log_in::fail,
    sessions::{end, live, note},
};
use crate::{
    domain::{
        attempts,
        email::Email,
        password,
        session::{Device, Reason, Session},
        user::User,
    },
    error::Error,
    hashing::Verdict,
    state::AppState,
    store::{credentials, sessions, users},
};

/// What somebody changes their password with.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    pub current: Secret<String>,
    pub new: Secret<String>,
}

/// Every other session ends; the caller's goes on as freshly authenticated.
pub async fn change_password(
    state: &AppState,
    who: &Principal,
    change: PasswordChange,
    device: Device,
) -> Result<(), Error> {
    let origin = who.origin(&*state.clock);
    let (user, before) = find(state, who.user).await?;
    let counters = Counters::of(state, &Email::lookup_key(&user.email), &device);
    prove(state, &origin, &user, &before, change.current, &counters, &device).await?;
    let after = hash_if_strong(state, &user, change.new).await?;
    forgive(state, counters).await?;
    let (inner, session, at) = (state.clone(), who.session, origin.at);
    let change = move |conn: &mut PgConnection| {
        let hashes = Hashes { before: &before, after: &after };
        replace(conn, &inner, &origin, user.id, session, &hashes, &device)
    };
    let ended = state.db.person(who.user).tx(change).await?;
    state.deny(&ended, at);
    Ok(())
}

async fn find(state: &AppState, id: UserId) -> Result<(User, String), Error> {
    state
        .db
        .person(id)
        .tx(move |conn| {
            let user = users::find(conn, id)?.ok_or(Error::UserNotFound(id))?;
            let hash = credentials::find(conn, id)?.ok_or(Error::WrongPassword)?;
            Ok((user, hash))
        })
        .await
}

/// Counts the attempt, compares the current password, and writes a failure down.
async fn prove(
    state: &AppState,
    origin: &Origin,
    user: &User,
    hash: &str,
    current: Secret<String>,
    counters: &Counters,
    device: &Device,
) -> Result<(), Error> {
    let (inner, counting, now) = (state.clone(), counters.clone(), origin.at);
    let counted = state.db.system("change_password").tx(move |conn| counting.count(conn, &inner, now)).await?;
    attempts::judge(&state.config.limits, &counted, now)?;
    if let Verdict::Right { .. } = state.hashing.verify(current, Some(hash.to_owned())).await? {
        return Ok(());
    }
    let (inner, origin, id) = (state.clone(), origin.clone(), user.id);
    let (counters, device) = (counters.clone(), device.clone());
    let failing = move |conn: &mut PgConnection| fail(conn, &inner, &origin, Some(id), &counters, &counted, &device);
    state.db.system("change_password").tx(failing).await?;
    Err(Error::WrongPassword)
}

async fn hash_if_strong(state: &AppState, user: &User, new: Secret<String>) -> Result<String, Error> {
    let (judged, user) = (new.clone(), user.clone());
    state
        .hashing
        .run(move || password::judge(&judged, &user.email, &user.display_name))
        .await?
        .map_err(|weak| Error::PasswordRejected { field: "new_password", weak })?;
    Ok(state.hashing.hash(new, &*state.ids).await?)
}

async fn forgive(state: &AppState, counters: Counters) -> Result<(), Error> {
    state.db.system("change_password").tx(move |conn| counters.forgive(conn)).await
}

struct Hashes<'a> {
    before: &'a str,
    after: &'a str,
}

fn replace(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: UserId,
    current: SessionId,
    hashes: &Hashes<'_>,
    device: &Device,
) -> Result<Vec<SessionId>, Error> {
    let version = users::next_version(conn, user)?;
    let session = live(conn, user, current, origin)?;
    if !credentials::replace(conn, user, hashes.before, hashes.after, origin.at)? {
        // Somebody else changed it in between: what was proven is no longer the password.
        return Err(Error::WrongPassword);
    }
    sessions::touch(conn, &Session { authenticated_at: origin.at, ..session })?;
    let mut ended = Vec::new();
    for other in sessions::lock_open(conn, user)?.into_iter().filter(|other| other.id != current) {
        ended.extend(end(conn, state, origin, other, Reason::PasswordChanged, device)?);
    }
    let event =
        PasswordChanged { user_id: user.to_string(), reason: "change".to_owned(), changed_at: Some(origin.at.into()) };
    outbox::append(conn, &*state.ids, origin, version, &event)?;
    note(conn, state, origin, "user.password_changed", "user", &user.to_string(), device, json!({}))?;
    Ok(ended)
}
