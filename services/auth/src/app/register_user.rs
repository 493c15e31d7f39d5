//! Somebody signs up: account, password, personal organization and first session in one transaction, so that the first
//! token is complete.

use contracts::{OrgId, Origin, UserId};
use db::{diesel::PgConnection, outbox};
use kit::{NewId, Secret};
use serde_json::json;

use super::{
    attempts::count_registration,
    sessions::note,
    tokens::{SignIn, Standing, begin_session},
};
use crate::{
    domain::{email::Email, membership::Membership, password, session::Device, user::User},
    error::Error,
    state::AppState,
    store::{credentials, memberships, users},
};

/// What somebody signs up with.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub email: Email,
    pub password: Secret<String>,
    pub display_name: String,
}

/// A taken address is found out by the insert, after the same work as for a free one; see docs/adr/0005.
pub async fn register_user(state: &AppState, new: NewAccount, device: Device) -> Result<SignIn, Error> {
    count_registration(state, &device).await?;
    let hash = hash_if_strong(state, &new).await?;
    let user: UserId = state.ids.new();
    let org: OrgId = state.ids.new();
    let origin = state.origin(Some(user), Some(org));
    let inner = state.clone();
    state.db.person(user).tx(move |conn| insert(conn, &inner, &origin, user, org, new, &hash, device)).await
}

async fn hash_if_strong(state: &AppState, new: &NewAccount) -> Result<String, Error> {
    let judged = new.clone();
    state
        .hashing
        .run(move || password::judge(&judged.password, judged.email.as_str(), &judged.display_name))
        .await?
        .map_err(|weak| Error::PasswordRejected { field: "password", weak })?;
    Ok(state.hashing.hash(new.password.clone(), &*state.ids).await?)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one account, made by the only caller")]
fn insert(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: UserId,
    org: OrgId,
    new: NewAccount,
    hash: &str,
    device: Device,
) -> Result<SignIn, Error> {
    let (user, registered) = User::register(user, org, &new.email, new.display_name, origin.at);
    let membership = Membership::of_registration(user.id, org);
    users::insert(conn, &user, &new.email)?;
    credentials::insert(conn, user.id, hash, origin.at)?;
    memberships::insert(conn, &membership, origin.at)?;
    outbox::append(conn, &*state.ids, origin, user.version, &registered)?;
    let subject = user.id.to_string();
    note(conn, state, origin, "user.registered", "user", &subject, &device, json!({}))?;
    let standing = Standing { org, role: contracts::Role::Owner };
    let (signed_in, _) = begin_session(conn, state, origin, user, standing, device)?;
    Ok(signed_in)
}
