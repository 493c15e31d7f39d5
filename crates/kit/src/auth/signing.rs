//! Making tokens: the one place that knows their outer form. Used by the auth service and by testkit.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::{
    ecdsa,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
};
use serde::Serialize;

use super::{Jwk, verifier::TOKEN_TYPE};
use crate::{Ids, Secret};

/// A key could not be made or read, or claims did not serialize. Never holds key material.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// Not a P-256 private key in PKCS #8 PEM.
    #[error("not a P-256 private key in PKCS #8 PEM form")]
    Key,
    /// The claims do not serialize or the key refused.
    #[error("the token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// A private ES256 key with its name.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    key: ecdsa::SigningKey,
    encoding: EncodingKey,
}

impl SigningKey {
    /// A new random key. `kid` becomes public: up to 64 characters `A-Z a-z 0-9 - _ .`.
    pub fn generate(kid: impl Into<String>, ids: &dyn Ids) -> Result<Self, SigningError> {
        // A 256-bit number is out of the curve's range once in 2^32 times; then the next one does.
        let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
        for _ in 0..4 {
            ids.random(bytes.as_mut());
            if let Ok(key) = ecdsa::SigningKey::from_slice(bytes.as_ref()) {
                return Self::from_key(kid.into(), key);
            }
        }
        Err(SigningError::Key)
    }

    /// Reads a key that [`to_pem`](Self::to_pem) wrote.
    pub fn from_pem(kid: impl Into<String>, pem: &str) -> Result<Self, SigningError> {
        let key = ecdsa::SigningKey::from_pkcs8_pem(pem).map_err(|_| SigningError::Key)?;
        Self::from_key(kid.into(), key)
    }

    fn from_key(kid: String, key: ecdsa::SigningKey) -> Result<Self, SigningError> {
        let der = key.to_pkcs8_der().map_err(|_| SigningError::Key)?;
        Ok(Self { kid, encoding: EncodingKey::from_ec_der(der.as_bytes()), key })
    }

    /// PKCS #8 PEM, for sealing and storing.
    pub fn to_pem(&self) -> Result<Secret<String>, SigningError> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| SigningError::Key)?;
        Ok(Secret::new(pem.to_string()))
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    pub fn jwk(&self) -> Jwk {
        let point = self.key.verifying_key().to_sec1_point(false);
        let text = |coordinate: Option<&[u8]>| URL_SAFE_NO_PAD.encode(coordinate.unwrap_or_default());
        Jwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: text(point.x().map(AsRef::as_ref)),
            y: text(point.y().map(AsRef::as_ref)),
            kid: self.kid.clone(),
            alg: "ES256".into(),
            usage: "sig".into(),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Signs claims as an access token: [`Claims`](super::Claims) or [`ServiceClaims`](super::ServiceClaims).
pub fn sign<C: Serialize>(claims: &C, key: &SigningKey) -> Result<String, SigningError> {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(TOKEN_TYPE.into());
    header.kid = Some(key.kid.clone());
    jsonwebtoken::encode(&header, claims, &key.encoding).map_err(SigningError::Sign)
}
