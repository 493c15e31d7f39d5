//! What tokens say. Times are seconds since the Unix epoch (RFC 7519 `NumericDate`, whole seconds only).
use contracts::{ApiKeyId, OrgId, Role, ScopeSet, SessionId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A user token: a person, or a service account, in one organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer: the platform's public base URL.
    pub iss: String,
    /// Audience: one name, never a list.
    pub aud: String,
    /// Who it is.
    pub sub: UserId,
    /// The organization it acts in.
    pub org: OrgId,
    /// The session it belongs to.
    pub sid: SessionId,
    /// Role in that organization.
    pub role: Role,
    /// What it may do, space separated.
    #[serde(with = "scope_text")]
    pub scope: ScopeSet,
    /// How it proved itself (RFC 8176): `pwd`, `otp`, `hwk`.
    #[serde(default)]
    pub amr: Vec<String>,
    /// When it last proved itself.
    pub auth_time: i64,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Not after.
    pub exp: i64,
    /// Id of the token.
    pub jti: Uuid,
    /// The API key that was exchanged for this token, when it came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyId>,
}

/// A service token (OAuth 2.0 client credentials): one service calling another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    /// Issuer: the platform's public base URL.
    pub iss: String,
    /// The service that is called.
    pub aud: String,
    /// The calling service, same as `client`.
    pub sub: String,
    /// The calling service. Its presence tells the kind of token.
    pub client: String,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Not after.
    pub exp: i64,
    /// Id of the token.
    pub jti: Uuid,
}

/// The claims that verification looks at, whatever the kind.
pub(super) trait Registered {
    fn issued_at(&self) -> i64;
    fn not_before(&self) -> i64;
    fn expires_at(&self) -> i64;
}

macro_rules! registered {
    ($($name:ident),*) => {$(
        impl Registered for $name {
            fn issued_at(&self) -> i64 {
                self.iat
            }
            fn not_before(&self) -> i64 {
                self.nbf
            }
            fn expires_at(&self) -> i64 {
                self.exp
            }
        }
    )*};
}

registered!(Claims, ServiceClaims);

/// `scope` as one space separated text (RFC 8693 section 4.2).
mod scope_text {
    use std::borrow::Cow;

    use contracts::ScopeSet;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `with` passes a reference")]
    pub fn serialize<S: Serializer>(scopes: &ScopeSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(scopes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ScopeSet, D::Error> {
        Cow::<'de, str>::deserialize(deserializer).map(|text| ScopeSet::from_claim(&text))
    }
}
