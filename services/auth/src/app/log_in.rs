//! Somebody signs in with a password.
//!
//! An account that exists and one that does not go the same way: counted, looked up, a hash compared, the failure
//! written. What differs is which hash is compared and which name the audit line carries.

use contracts::{
    Origin, UserId,
    auth::v1::{LoginFailedRepeatedly, UserLoggedIn},
};
use db::{diesel::PgConnection, outbox};
use kit::Secret;
use serde_json::json;

use super::{
    attempts::Counters,
    sessions::note,
    tokens::{SignIn, begin_session, standing},
};
use crate::{
    domain::{
        attempts::{self, Counted},
        email::Email,
        session::{Device, Session},
        user::User,
    },
    error::Error,
    hashing::Verdict,
    metrics,
    state::AppState,
    store::{credentials, users},
};

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub struct Login {
    pub email: String,
    pub password: Secret<String>,
}

pub async fn log_in(state: &AppState, login: Login, device: Device) -> Result<SignIn, Error> {
    let result = attempt(state, login, device).await;
    metrics::login(&result);
    result
}

async fn attempt(state: &AppState, login: Login, device: Device) -> Result<SignIn, Error> {
    let origin = state.origin(None, None);
    let email_key = Email::lookup_key(&login.email);
    let counters = Counters::of(state, &email_key, &device);
    let (counted, account) = count_and_find(state, counters.clone(), email_key, origin.clone()).await?;
    attempts::judge(&state.config.limits, &counted, origin.at)?;
    let (user, hash) = account.unzip();
    match (state.hashing.verify(login.password.clone(), hash.clone()).await?, user, hash) {
        (Verdict::Right { outdated }, Some(user), Some(hash)) => {
            let renewed = if outdated { Some(state.hashing.hash(login.password, &*state.ids).await?) } else { None };
            let inner = state.clone();
            let proven = Proven { user: user.id, hash, renewed, counters };
            state.db.system("log_in").tx(move |conn| succeed(conn, &inner, &origin, proven, device)).await
        }
        (_, user, _) => {
            let inner = state.clone();
            let user = user.map(|user| user.id);
            let failing =
                move |conn: &mut PgConnection| fail(conn, &inner, &origin, user, &counters, &counted, &device);
            state.db.system("log_in").tx(failing).await?;
            Err(Error::InvalidCredentials)
        }
    }
}

type Found = (Vec<Counted>, Option<(User, String)>);

async fn count_and_find(
    state: &AppState,
    counters: Counters,
    email_key: String,
    origin: Origin,
) -> Result<Found, Error> {
    let inner = state.clone();
    state
        .db
        .system("log_in")
        .tx(move |conn| {
            let counted = counters.count(conn, &inner, origin.at)?;
            Ok((counted, credentials::find_by_email_key(conn, &email_key)?))
        })
        .await
}

/// Somebody who knows the password.
struct Proven {
    user: UserId,
    hash: String,
    /// The password's hash under today's parameters, when the stored one is of older ones.
    renewed: Option<String>,
    counters: Counters,
}

fn succeed(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    proven: Proven,
    device: Device,
) -> Result<SignIn, Error> {
    // Held from here on: a change of role or a disabling waits, or has happened and is seen below.
    let user = users::lock(conn, proven.user)?.ok_or(Error::InvalidCredentials)?;
    if user.disabled_at.is_some() {
        return Err(Error::AccountDisabled);
    }
    if let Some(renewed) = proven.renewed {
        credentials::replace(conn, user.id, &proven.hash, &renewed, origin.at)?;
    }
    proven.counters.forgive(conn)?;
    let standing = standing(conn, &user, user.personal_org)?;
    let origin = Origin { actor: Some(user.id.uuid()), org: Some(standing.org), ..origin.clone() };
    let version = users::next_version(conn, user.id)?;
    let (signed_in, session) = begin_session(conn, state, &origin, user, standing, device)?;
    outbox::append(conn, &*state.ids, &origin, version, &logged_in(&session))?;
    let details = json!({"session_id": session.id});
    note(conn, state, &origin, "user.logged_in", "user", &session.user.to_string(), &session.device, details)?;
    Ok(signed_in)
}

fn logged_in(session: &Session) -> UserLoggedIn {
    UserLoggedIn {
        user_id: session.user.to_string(),
        session_id: session.id.to_string(),
        organization_id: session.org.to_string(),
        methods: vec!["pwd".to_owned()],
        logged_in_at: Some(session.started_at.into()),
    }
}

/// Writes a failure down, and tells of it when it used up what the account takes. Also for a change of password.
pub(super) fn fail(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: Option<UserId>,
    counters: &Counters,
    counted: &[Counted],
    device: &Device,
) -> Result<(), Error> {
    let (kind, subject) = match user {
        Some(user) => ("user", user.to_string()),
        None => ("unknown_account", counters.account_hash()),
    };
    note(conn, state, origin, "user.login_failed", kind, &subject, device, json!({}))?;
    if let (Some(user), Some(used_up)) = (user, attempts::used_up(&state.config.limits, counted)) {
        let event = LoginFailedRepeatedly {
            user_id: user.to_string(),
            attempts: u32::try_from(used_up.made).unwrap_or(u32::MAX),
            last_attempt_at: Some(origin.at.into()),
            blocked_until: Some(used_up.resets_at.into()),
        };
        let version = users::next_version(conn, user)?;
        outbox::append(conn, &*state.ids, origin, version, &event)?;
    }
    Ok(())
}
