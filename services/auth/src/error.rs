//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use contracts::{ApiKeyId, OrgId, Role, SessionId, UserId};
use kit::{Coded, ErrorCode, FieldError, VersionMismatch, http::codes};

use crate::{
    domain::{
        access::{FRESH, NotFresh, Refused},
        api_key::{BadExpiry, Excess, MAX_ACTIVE, NotActive},
        attempts::TooMany,
        password::Weak,
    },
    hashing::HashingError,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no account with this address and password")]
    InvalidCredentials,
    #[error("the current password is wrong")]
    WrongPassword,
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error("the account is disabled")]
    AccountDisabled,
    #[error("the address has an account")]
    EmailTaken,
    #[error("the new password {weak}")]
    PasswordRejected { field: &'static str, weak: Weak },
    #[error("the refresh token is unknown, expired or used")]
    InvalidRefreshToken,
    #[error("the session has ended")]
    SessionEnded,
    #[error("session {0} is unknown or not the caller's")]
    SessionNotFound(SessionId),
    #[error("organization {0} is unknown or not the caller's")]
    OrganizationNotFound(OrgId),
    #[error("user {0} belongs to no organization")]
    NoOrganization(UserId),
    #[error("user {0} is unknown")]
    UserNotFound(UserId),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the client credentials are wrong")]
    InvalidClient,
    #[error("the grant type is not client_credentials")]
    UnsupportedGrant,
    #[error("no service has the name that the token is asked for")]
    InvalidTarget,
    #[error("API key {0} is unknown or not for the caller to see")]
    ApiKeyNotFound(ApiKeyId),
    #[error("the API key cannot be exchanged")]
    InvalidApiKey,
    #[error(transparent)]
    NotActive(#[from] NotActive),
    #[error("only the owner of an API key may change it")]
    NotKeyOwner,
    #[error("the API key would allow more than its giver has")]
    NotGrantable(Vec<Excess>),
    #[error("the person has {MAX_ACTIVE} keys in this organization")]
    TooManyApiKeys,
    #[error("expires_at {0}")]
    BadExpiry(#[from] BadExpiry),
    #[error(transparent)]
    NotFresh(#[from] NotFresh),
    #[error("a {role} may not {action}")]
    RoleInsufficient { role: Role, action: &'static str },
    #[error(transparent)]
    VersionMismatch(#[from] VersionMismatch),
    #[error("no signing key is loaded")]
    NoSigningKey,
    #[error("a password could not be hashed")]
    Hashing(#[from] HashingError),
    #[error("a secret could not be sealed or opened")]
    Sealing(#[from] kit::seal::SealError),
    #[error("a token could not be signed")]
    Signing(#[from] kit::auth::SigningError),
    #[error("the database failed")]
    Db(#[from] db::Error),
}

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type", 400, "The grant type is not supported";
    INVALID_TARGET = "invalid_target", 400, "There is no such service";
    INVALID_CREDENTIALS = "invalid_credentials", 401, "The address or the password is wrong";
    INVALID_REFRESH_TOKEN = "invalid_refresh_token", 401, "The refresh token is not valid";
    SESSION_ENDED = "session_ended", 401, "The session has ended";
    REAUTHENTICATION_REQUIRED = "reauthentication_required", 401, "This needs a recent sign-in";
    INVALID_CLIENT = "invalid_client", 401, "The client credentials are wrong";
    ACCOUNT_DISABLED = "account_disabled", 403, "The account is disabled";
    WRONG_PASSWORD = "wrong_password", 403, "The current password is wrong";
    NO_ORGANIZATION = "no_organization", 403, "You belong to no organization";
    NOT_GRANTABLE = "not_grantable", 403, "A key cannot be given more than you have";
    NOT_KEY_OWNER = "not_key_owner", 403, "Only its owner may change an API key";
    ROLE_INSUFFICIENT = "role_insufficient", 403, "Your role in this organization does not allow this";
    SERVICE_NOT_ALLOWED = "service_not_allowed", 403, "This service may not do this";
    API_KEY_NOT_FOUND = "api_key_not_found", 404, "There is no such API key";
    SESSION_NOT_FOUND = "session_not_found", 404, "There is no such session";
    ORGANIZATION_NOT_FOUND = "organization_not_found", 404, "There is no such organization";
    USER_NOT_FOUND = "user_not_found", 404, "There is no such user";
    EMAIL_UNAVAILABLE = "email_unavailable", 409, "This address cannot be registered";
    API_KEY_NOT_ACTIVE = "api_key_not_active", 409, "The API key has ended or was replaced";
    TOO_MANY_API_KEYS = "too_many_api_keys", 409, "You have too many API keys";
    PASSWORD_REJECTED = "password_rejected", 422, "The password is not strong enough";
    TOO_MANY_ATTEMPTS = "too_many_attempts", 429, "Too many attempts";
    PASSWORD_CHECK_BUSY = "password_check_busy", 503, "Too many passwords are being checked";
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::InvalidCredentials => &INVALID_CREDENTIALS,
            Self::WrongPassword => &WRONG_PASSWORD,
            Self::TooMany(_) => &TOO_MANY_ATTEMPTS,
            Self::AccountDisabled => &ACCOUNT_DISABLED,
            Self::EmailTaken => &EMAIL_UNAVAILABLE,
            Self::PasswordRejected { .. } => &PASSWORD_REJECTED,
            Self::InvalidRefreshToken => &INVALID_REFRESH_TOKEN,
            Self::SessionEnded => &SESSION_ENDED,
            Self::SessionNotFound(_) => &SESSION_NOT_FOUND,
            Self::OrganizationNotFound(_) => &ORGANIZATION_NOT_FOUND,
            Self::NoOrganization(_) => &NO_ORGANIZATION,
            Self::UserNotFound(_) => &USER_NOT_FOUND,
            Self::Refused(_) => &SERVICE_NOT_ALLOWED,
            Self::InvalidClient => &INVALID_CLIENT,
            Self::UnsupportedGrant => &UNSUPPORTED_GRANT_TYPE,
            Self::InvalidTarget => &INVALID_TARGET,
            Self::ApiKeyNotFound(_) => &API_KEY_NOT_FOUND,
            Self::InvalidApiKey => &codes::INVALID_API_KEY,
            Self::NotActive(_) => &API_KEY_NOT_ACTIVE,
            Self::NotKeyOwner => &NOT_KEY_OWNER,
            Self::NotGrantable(_) => &NOT_GRANTABLE,
            Self::TooManyApiKeys => &TOO_MANY_API_KEYS,
            Self::BadExpiry(_) => &codes::VALIDATION_FAILED,
            Self::NotFresh(_) => &REAUTHENTICATION_REQUIRED,
            Self::RoleInsufficient { .. } => &ROLE_INSUFFICIENT,
            Self::VersionMismatch(_) => &codes::PRECONDITION_FAILED,
            Self::NoSigningKey => &codes::UNAVAILABLE,
            Self::Hashing(HashingError::Busy) => &PASSWORD_CHECK_BUSY,
            Self::Hashing(_) | Self::Sealing(_) | Self::Signing(_) => &codes::INTERNAL_ERROR,
            Self::Db(error) => error.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::PasswordRejected { weak, .. } => Some(format!("The password {weak}.")),
            Self::SessionEnded => Some("Sign in again.".to_owned()),
            Self::Refused(refused) => Some(refused.to_string()),
            Self::TooManyApiKeys => Some(format!("At most {MAX_ACTIVE} keys may work; revoke one first.")),
            Self::NotFresh(_) => Some("Sign in again, and repeat this within ten minutes.".to_owned()),
            Self::RoleInsufficient { .. } => Some(self.to_string()),
            Self::VersionMismatch(mismatch) => Some(mismatch.to_string()),
            Self::Db(error) => error.detail(),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::PasswordRejected { field, weak } => vec![FieldError::new(*field, weak.code(), weak.to_string())],
            Self::BadExpiry(bad) => vec![FieldError::new("expires_at", "range", bad.to_string())],
            Self::NotGrantable(beyond) => beyond.iter().map(|excess| not_grantable(*excess)).collect(),
            Self::EmailTaken => vec![FieldError::new("email", "unavailable", "cannot be registered")],
            Self::WrongPassword => vec![FieldError::new("current_password", "wrong", "is not your password")],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(too_many) => Some(too_many.retry_after),
            Self::Hashing(HashingError::Busy) | Self::NoSigningKey => Some(Duration::from_secs(1)),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }

    /// A 401 names the way to authenticate (RFC 9110 section 11.6.1).
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let challenge = match self {
            Self::InvalidClient => "Basic realm=\"brainops services\"",
            // RFC 9470 section 3.
            Self::NotFresh(_) => {
                const { assert!(FRESH.num_seconds() == 600) };
                "Bearer realm=\"brainops\", error=\"insufficient_user_authentication\", max_age=\"600\""
            }
            _ if self.code().status == 401 => "Bearer realm=\"brainops\"",
            _ => return Vec::new(),
        };
        vec![(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))]
    }
}

fn not_grantable(excess: Excess) -> FieldError {
    let (field, message) = match excess {
        Excess::Scopes => ("scopes", "must be among those that you have"),
        Excess::Expiry => ("expires_at", "must not be later than the end of the key that you use"),
        Excess::Networks => ("allowed_networks", "must be within those of the key that you use"),
    };
    FieldError::new(field, "not_grantable", message)
}

impl From<db::diesel::result::Error> for Error {
    fn from(error: db::diesel::result::Error) -> Self {
        match db::Error::from(error) {
            db::Error::Conflict { constraint } if constraint == crate::store::users::EMAIL_KEY => Self::EmailTaken,
            other => Self::Db(other),
        }
    }
}
