//! Shared by what signs somebody in: which organization a token acts in, and what it says.

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, OrgId, Origin, Role, ScopeSet, SessionId, UserId, auth::v1::SessionStarted};
use db::{diesel::PgConnection, outbox};
use kit::{Ids, NewId, Secret, auth::Claims};

use crate::{
    domain::{
        refresh_token::RefreshToken,
        session::{self, Device, NewSession, Session},
        user::User,
    },
    error::Error,
    state::AppState,
    store::{memberships, refresh_tokens, sessions},
};

/// An access token and what its owner wants to know of it.
#[derive(Clone, Debug)]
pub struct AccessToken {
    pub text: Secret<String>,
    /// Seconds that it lives.
    pub expires_in: i64,
    pub org: OrgId,
    pub role: Role,
}

/// Somebody is signed in.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub user: User,
    pub access: AccessToken,
    pub refresh: RefreshToken,
    /// Seconds until the refresh token is void if it is not used.
    pub refresh_expires_in: i64,
}

/// What the tokens of one session say, next to the session itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub org: OrgId,
    pub role: Role,
}

/// The organization to act in: `preferred`, else the personal one, else the first there is.
pub(super) fn standing(conn: &mut PgConnection, user: &User, preferred: OrgId) -> Result<Standing, Error> {
    let all = memberships::list_of_user(conn, user.id)?;
    let find = |org: OrgId| all.iter().find(|(of, _)| *of == org);
    let (org, role) =
        find(preferred).or_else(|| find(user.personal_org)).or(all.first()).ok_or(Error::NoOrganization(user.id))?;
    Ok(Standing { org: *org, role: *role })
}

/// Starts a session with its first refresh token, and tells of it. Runs in the caller's transaction.
pub(super) fn begin_session(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: User,
    standing: Standing,
    device: Device,
) -> Result<(SignIn, Session), Error> {
    let ids = &*state.ids;
    let new = NewSession { family: ids.new(), id: ids.new(), user: user.id, org: standing.org, device };
    let (session, started) = Session::start(new, origin.at);
    let refresh = RefreshToken::generate(ids);
    sessions::insert(conn, &session)?;
    refresh_tokens::insert(conn, &state.pepper.hash_token(&refresh), session.family, user.id, origin.at)?;
    tell_started(conn, ids, origin, &session, &started)?;
    let access = mint(state, &session, standing, origin)?;
    Ok((SignIn { user, access, refresh, refresh_expires_in: idle_seconds(&session, origin) }, session))
}

/// A session's first event.
pub(super) fn tell_started(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    session: &Session,
    started: &SessionStarted,
) -> Result<(), Error> {
    let origin = Origin { org: Some(session.org), ..origin.clone() };
    outbox::append(conn, ids, &origin, 1, started)?;
    Ok(())
}

/// An access token of a session.
pub(super) fn mint(
    state: &AppState,
    session: &Session,
    Standing { org, role }: Standing,
    origin: &Origin,
) -> Result<AccessToken, Error> {
    let expires_in = session::ACCESS_TOKEN.num_seconds();
    let subject = Subject {
        user: session.user,
        org,
        role,
        session: session.id,
        scopes: role.scopes().iter().collect(),
        methods: &["pwd"],
        authenticated_at: session.authenticated_at,
        expires_in,
        api_key: None,
    };
    Ok(AccessToken { text: sign(state, &subject, origin.at)?, expires_in, org, role })
}

/// Whom an access token is about, and for how long.
pub(super) struct Subject {
    pub user: UserId,
    pub org: OrgId,
    pub role: Role,
    pub session: SessionId,
    pub scopes: ScopeSet,
    /// How they proved who they are (RFC 8176).
    pub methods: &'static [&'static str],
    pub authenticated_at: DateTime<Utc>,
    /// Seconds.
    pub expires_in: i64,
    pub api_key: Option<ApiKeyId>,
}

/// Signs an access token (RFC 9068 profile).
pub(super) fn sign(state: &AppState, subject: &Subject, now: DateTime<Utc>) -> Result<Secret<String>, Error> {
    let identity = &state.config.identity;
    let now = now.timestamp();
    let claims = Claims {
        iss: identity.issuer_name().to_owned(),
        aud: identity.audience.clone(),
        sub: subject.user,
        org: subject.org,
        sid: subject.session,
        role: subject.role,
        scope: subject.scopes,
        amr: subject.methods.iter().map(ToString::to_string).collect(),
        auth_time: subject.authenticated_at.timestamp(),
        iat: now,
        nbf: now,
        exp: now + subject.expires_in,
        jti: state.ids.uuid(),
        api_key: subject.api_key,
    };
    Ok(Secret::new(state.signing.sign(&claims)?))
}

/// Seconds until a session ends if nobody uses it from now on.
pub(super) fn idle_seconds(session: &Session, origin: &Origin) -> i64 {
    session::IDLE.min(session.expires_at - origin.at).num_seconds()
}
