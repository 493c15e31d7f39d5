//! Public keys as JSON Web Keys (RFC 7517, elliptic curve members from RFC 7518 section 6.2).
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A public P-256 key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    /// Key type, `EC`.
    #[schema(example = "EC")]
    pub kty: String,
    /// Curve, `P-256`.
    #[schema(example = "P-256")]
    pub crv: String,
    /// First coordinate, base64url without padding.
    pub x: String,
    /// Second coordinate, base64url without padding.
    pub y: String,
    /// Names the key in token headers.
    pub kid: String,
    /// The one algorithm it is for, `ES256`.
    #[schema(example = "ES256")]
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub usage: String,
}

/// What `/.well-known/jwks.json` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwkSet {
    /// Keys that sign now, will sign soon, or signed tokens that may still live.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// Reads a set and leaves out what is not a P-256 signing key for ES256: a set may hold keys for others (RFC 7517
    /// section 5). `None` when it is no set at all.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Loose {
            keys: Vec<serde_json::Value>,
        }
        let loose: Loose = serde_json::from_slice(text).ok()?;
        let keys = loose
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
            .filter(Jwk::is_es256_signing_key)
            .collect();
        Some(Self { keys })
    }
}

impl Jwk {
    pub(super) fn is_es256_signing_key(&self) -> bool {
        self.kty == "EC" && self.crv == "P-256" && self.alg == "ES256" && self.usage == "sig"
    }
}
