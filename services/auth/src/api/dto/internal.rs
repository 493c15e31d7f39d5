//! What goes over the wire between services.

use chrono::{DateTime, Utc};
use contracts::{OrgId, UserId};
use kit::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::{
    app::issue_service_token::TokenRequest,
    domain::user::{DisableReason, User},
    error::Error,
};

/// Why an account is closed.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableRequest {
    /// The operator's category.
    pub reason: DisableReasonDto,
}

/// Why an account is closed, as the event tells it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(as = DisableReason, rename_all = "snake_case")]
pub enum DisableReasonDto {
    Admin,
    Abuse,
    Erasure,
}

/// By way of a text: `serde_json` calls any other value in the place of an enum a mistake in the JSON itself.
impl TryFrom<String> for DisableReasonDto {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.as_str() {
            "admin" => Ok(Self::Admin),
            "abuse" => Ok(Self::Abuse),
            "erasure" => Ok(Self::Erasure),
            _ => Err("unknown variant, expected one of `admin`, `abuse`, `erasure`"),
        }
    }
}

impl From<DisableReasonDto> for DisableReason {
    fn from(reason: DisableReasonDto) -> Self {
        match reason {
            DisableReasonDto::Admin => Self::Admin,
            DisableReasonDto::Abuse => Self::Abuse,
            DisableReasonDto::Erasure => Self::Erasure,
        }
    }
}

/// What a service asks a token with (RFC 6749 section 4.4.2; `audience` as in RFC 8693).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceTokenRequest {
    /// `client_credentials`.
    #[schema(example = "client_credentials")]
    pub grant_type: String,
    /// The service to be called.
    #[schema(example = "users")]
    pub audience: String,
}

impl ServiceTokenRequest {
    /// With the client's name and secret from the `Authorization` header.
    pub fn into_request(self, credentials: Option<(String, Secret<String>)>) -> Result<TokenRequest, Error> {
        let (client, secret) = credentials.ok_or(Error::InvalidClient)?;
        if self.grant_type != "client_credentials" {
            return Err(Error::UnsupportedGrant);
        }
        Ok(TokenRequest { client, secret, audience: self.audience })
    }
}

/// A token of a service.
#[derive(Serialize, ToSchema)]
pub struct ServiceTokenView {
    /// A signed token for calls to the service that was asked for.
    pub access_token: String,
    /// `Bearer`.
    #[schema(value_type = String, example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds that it lives.
    #[schema(example = 600)]
    pub expires_in: i64,
}

/// What is void although it has not expired.
#[derive(Serialize, ToSchema)]
pub struct RevocationList {
    /// In no particular order.
    pub items: Vec<RevocationView>,
}

/// One session or user whose tokens are void.
#[derive(Serialize, ToSchema)]
pub struct RevocationView {
    /// What `id` names: `session` or `user`.
    #[schema(value_type = String, example = "session")]
    pub kind: events::RevocationKind,
    /// The session or the user.
    pub id: Uuid,
    /// When it was revoked; a user's tokens issued later are good.
    pub at: DateTime<Utc>,
    /// When the last of its tokens expires by itself.
    pub until: DateTime<Utc>,
}

impl From<events::Revocation> for RevocationView {
    fn from(item: events::Revocation) -> Self {
        Self { kind: item.kind, id: item.id, at: item.at, until: item.until }
    }
}

/// An account as other services may copy it.
#[derive(Serialize, ToSchema)]
pub struct UserSnapshot {
    /// The person's id.
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// The address they sign in with.
    #[schema(example = "ada@example.org")]
    pub email: String,
    /// The name given at registration.
    #[schema(example = "Ada Lovelace")]
    pub display_name: String,
    /// The organization that was made for this person.
    #[schema(value_type = Uuid)]
    pub personal_organization_id: OrgId,
    /// When the account was closed; null while it is open.
    pub disabled_at: Option<DateTime<Utc>>,
    /// The `sequence` of the last event about this person.
    #[schema(example = 1)]
    pub version: i64,
    /// When they registered.
    pub created_at: DateTime<Utc>,
}

impl From<User> for UserSnapshot {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            personal_organization_id: user.personal_org,
            disabled_at: user.disabled_at,
            version: user.version,
            created_at: user.created_at,
        }
    }
}
