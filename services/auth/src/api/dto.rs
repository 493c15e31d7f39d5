//! What goes over the wire. Requests are checked here; serde and utoipa stop here.

pub mod api_keys;
pub mod internal;

use chrono::{DateTime, Utc};
use contracts::{OrgId, Role, SessionId, UserId};
use kit::{Secret, http::RequestContext};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{
    app::{AccessToken, SignIn, change_password::PasswordChange, log_in::Login, register_user::NewAccount},
    domain::{
        email::Email,
        password::{MAX_CHARS, MIN_CHARS},
        session::{Device, Session},
        user::User,
    },
    error::Error,
};

/// A new account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The address to sign in with, at most 254 characters. Capital letters make no difference.
    #[schema(example = "ada@example.org", format = "email", max_length = 254)]
    #[validate(custom(function = "email"))]
    pub email: String,
    /// 12 to 256 characters of any kind. Common passwords, patterns, and your own name and address are refused.
    #[schema(value_type = String, format = "password", write_only, example = "vexing quilt marmalade tundra", min_length = 12, max_length = 256)]
    #[validate(custom(function = "new_password"))]
    pub password: Secret<String>,
    /// How others see you: 1 to 100 characters, not blank.
    #[schema(example = "Ada Lovelace", min_length = 1, max_length = 100)]
    #[validate(custom(function = "display_name"))]
    pub display_name: String,
}

impl RegisterRequest {
    /// Validation has found the address to be one; should it not be, signing up finds it taken by nobody.
    pub fn into_account(self) -> Result<NewAccount, Error> {
        let email = Email::parse(&self.email).map_err(|_| Error::EmailTaken)?;
        Ok(NewAccount { email, password: self.password, display_name: self.display_name.trim().to_owned() })
    }
}

/// Credentials.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The address of the account.
    #[schema(example = "ada@example.org", min_length = 1, max_length = 254)]
    #[validate(length(min = 1, max = 254))]
    pub email: String,
    /// The account's password.
    #[schema(value_type = String, format = "password", write_only, example = "vexing quilt marmalade tundra", min_length = 1, max_length = 256)]
    #[validate(custom(function = "some_password"))]
    pub password: Secret<String>,
}

impl From<LoginRequest> for Login {
    fn from(request: LoginRequest) -> Self {
        Self { email: request.email, password: request.password }
    }
}

/// A refresh token to be exchanged.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token of the last answer. It works once.
    #[schema(value_type = String, format = "password", write_only, example = "bo_rt_3q2-796tvu_erb7v3q2-796tvu_erb7v3q2-796tvu8", min_length = 1, max_length = 256)]
    #[validate(custom(function = "some_password"))]
    pub refresh_token: Secret<String>,
}

/// A new password, with the current one as proof.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChangeRequest {
    /// The password until now.
    #[schema(value_type = String, format = "password", write_only, example = "vexing quilt marmalade tundra", min_length = 1, max_length = 256)]
    #[validate(custom(function = "some_password"))]
    pub current_password: Secret<String>,
    /// The password from now on, under the same rules as at registration.
    #[schema(value_type = String, format = "password", write_only, example = "seventeen brisk otters waltzing", min_length = 12, max_length = 256)]
    #[validate(custom(function = "new_password"))]
    pub new_password: Secret<String>,
}

impl From<PasswordChangeRequest> for PasswordChange {
    fn from(request: PasswordChangeRequest) -> Self {
        Self { current: request.current_password, new: request.new_password }
    }
}

/// Where to go on working.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    /// An organization that you belong to.
    #[schema(value_type = Uuid)]
    pub organization_id: OrgId,
}

/// Somebody is signed in.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    /// A signed token for `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`.
    #[schema(value_type = String, example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds that the access token lives.
    #[schema(example = 600)]
    pub expires_in: i64,
    /// What the token allows, space separated.
    #[schema(example = "users:read users:write")]
    pub scope: String,
    /// Gives the next pair of tokens, once.
    #[schema(example = "bo_rt_3q2-796tvu_erb7v3q2-796tvu_erb7v3q2-796tvu8")]
    pub refresh_token: String,
    /// Seconds until the refresh token is void if it is not used.
    #[schema(example = 1_209_600)]
    pub refresh_expires_in: i64,
    /// Who is signed in.
    pub user: UserView,
    /// Where the token acts.
    pub organization: OrganizationRole,
}

impl From<SignIn> for TokenView {
    fn from(signed_in: SignIn) -> Self {
        let SignIn { user, access, refresh, refresh_expires_in } = signed_in;
        let AccessTokenView { access_token, token_type, expires_in, scope, organization } = access.into();
        Self {
            access_token,
            token_type,
            expires_in,
            scope,
            refresh_token: refresh.expose().to_owned(),
            refresh_expires_in,
            user: user.into(),
            organization,
        }
    }
}

/// An access token alone; the refresh token stays as it is.
#[derive(Serialize, ToSchema)]
pub struct AccessTokenView {
    /// A signed token for `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`.
    #[schema(value_type = String, example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds that it lives.
    #[schema(example = 600)]
    pub expires_in: i64,
    /// What the token allows, space separated.
    #[schema(example = "users:read users:write")]
    pub scope: String,
    /// Where it acts.
    pub organization: OrganizationRole,
}

impl From<AccessToken> for AccessTokenView {
    fn from(token: AccessToken) -> Self {
        Self {
            access_token: token.text.expose().clone(),
            token_type: "Bearer",
            expires_in: token.expires_in,
            scope: token.role.scopes().iter().collect::<contracts::ScopeSet>().to_string(),
            organization: OrganizationRole::new(token.org, token.role),
        }
    }
}

/// A person with an account.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    /// The person's id, the `sub` of their access tokens.
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// The address they sign in with.
    #[schema(example = "ada@example.org")]
    pub email: String,
    /// The name given at registration; `/v1/users/me` has the one of today.
    #[schema(example = "Ada Lovelace")]
    pub display_name: String,
    /// When they registered.
    pub created_at: DateTime<Utc>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self { id: user.id, email: user.email, display_name: user.display_name, created_at: user.created_at }
    }
}

/// An organization and one's role in it.
#[derive(Serialize, ToSchema)]
pub struct OrganizationRole {
    /// The organization's id.
    #[schema(value_type = Uuid)]
    pub id: OrgId,
    /// `owner`, `admin`, `member` or `viewer`.
    #[schema(value_type = String, example = "owner")]
    pub role: Role,
}

impl OrganizationRole {
    pub fn new(id: OrgId, role: Role) -> Self {
        Self { id, role }
    }
}

/// The caller.
#[derive(Serialize, ToSchema)]
pub struct MeView {
    /// The account.
    pub user: UserView,
    /// The organization that was made for this person.
    #[schema(value_type = Uuid)]
    pub personal_organization_id: OrgId,
    /// Where the token acts.
    pub organization: OrganizationRole,
    /// Every organization that the person belongs to.
    pub organizations: Vec<OrganizationRole>,
}

/// Where somebody is signed in.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// The session's id, the `sid` of its access tokens. It changes when your role changes.
    #[schema(value_type = Uuid)]
    pub id: SessionId,
    /// The program that signed in, as it calls itself.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    pub user_agent: Option<String>,
    /// The network address it was last used from.
    #[schema(example = "192.0.2.7")]
    pub address: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionView {
    pub fn new(session: Session, current: SessionId) -> Self {
        Self {
            id: session.id,
            user_agent: session.device.user_agent,
            address: session.device.address.map(|address| address.to_string()),
            started_at: session.started_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            current: session.id == current,
        }
    }
}

/// A person's sessions.
#[derive(Serialize, ToSchema)]
pub struct SessionList {
    /// The last used first, at most a hundred.
    pub items: Vec<SessionView>,
}

/// What programs read to find everything else (`OpenID` Connect Discovery 1.0 section 3, as far as it exists here).
#[derive(Serialize, ToSchema)]
pub struct DiscoveryView {
    /// The `iss` of tokens.
    #[schema(example = "https://api.example.com")]
    pub issuer: String,
    /// Where the public keys are.
    #[schema(example = "https://api.example.com/.well-known/jwks.json")]
    pub jwks_uri: String,
    /// No authorization endpoint yet, so none.
    #[schema(value_type = Vec<String>)]
    pub response_types_supported: [&'static str; 0],
    /// Everybody sees the same `sub`.
    #[schema(value_type = Vec<String>)]
    pub subject_types_supported: [&'static str; 1],
    /// The algorithm of all signatures.
    #[schema(value_type = Vec<String>)]
    pub id_token_signing_alg_values_supported: [&'static str; 1],
    /// Every scope that a token may carry.
    #[schema(value_type = Vec<String>)]
    pub scopes_supported: Vec<&'static str>,
    /// What access tokens say.
    #[schema(value_type = Vec<String>)]
    pub claims_supported: &'static [&'static str],
}

/// Where a request comes from, for the list of sessions and the audit log.
pub fn device(context: RequestContext) -> Device {
    Device { user_agent: context.user_agent, address: context.address }
}

fn email(text: &str) -> Result<(), ValidationError> {
    check(Email::parse(text).is_ok(), "email", "must be an e-mail address of at most 254 characters")
}

fn new_password(password: &Secret<String>) -> Result<(), ValidationError> {
    let fits = (MIN_CHARS..=MAX_CHARS).contains(&password.expose().chars().count());
    check(fits, "length", "must have 12 to 256 characters")
}

fn some_password(password: &Secret<String>) -> Result<(), ValidationError> {
    let fits = (1..=MAX_CHARS).contains(&password.expose().chars().count());
    check(fits, "length", "must have 1 to 256 characters")
}

fn display_name(name: &str) -> Result<(), ValidationError> {
    let visible = !name.trim().is_empty() && !name.chars().any(char::is_control);
    let fits = name.chars().count() <= 100;
    check(visible && fits, "length", "must have 1 to 100 visible characters")
}

fn check(fine: bool, code: &'static str, message: &'static str) -> Result<(), ValidationError> {
    if fine { Ok(()) } else { Err(ValidationError::new(code).with_message(message.into())) }
}
