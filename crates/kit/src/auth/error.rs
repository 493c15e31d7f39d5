//! Why a token is refused.
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};

use crate::http::{Coded, ErrorCode, codes};

/// Why a token is refused. The client learns the short text, never more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three base64url parts with JSON inside, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm than ES256, `none` included.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// `typ` is not `at+jwt`: a refresh or id token, or something else's JWT.
    #[error("this is not an access token")]
    Type,
    /// A header member that tries to choose the key or the rules: `jku`, `jwk`, `x5u`, `x5c`, `crit`, …
    #[error("the token's header has a member that is not accepted")]
    Header,
    /// No `kid`, or one that no key has.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature is missing or wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// A required claim is missing or has another type.
    #[error("the token lacks a claim")]
    Claims,
    /// Another issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// For somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its session or user was ended.
    #[error("the token was revoked")]
    Revoked,
    /// Keys were never loaded, so nothing can be said about any token.
    #[error("token verification is temporarily unavailable")]
    KeysUnavailable,
}

impl Coded for TokenError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::KeysUnavailable => &codes::UNAVAILABLE,
            _ => &codes::INVALID_TOKEN,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn retry_after(&self) -> Option<Duration> {
        (*self == Self::KeysUnavailable).then_some(Duration::from_secs(5))
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        if *self == Self::KeysUnavailable {
            return Vec::new();
        }
        // RFC 6750 section 3. The texts above hold no quote and no backslash.
        let challenge = format!("Bearer realm=\"brainops\", error=\"invalid_token\", error_description=\"{self}\"");
        HeaderValue::from_str(&challenge).map(|value| (WWW_AUTHENTICATE, value)).into_iter().collect()
    }
}
