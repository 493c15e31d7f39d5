//! The caller's token itself, for calls on the caller's behalf.
use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::principal::{bearer, unauthenticated};
use crate::{Problem, Secret};

/// The token of the request as it came, to ask another service with the caller's own permissions. It proves nothing: take a
/// [`Principal`](super::Principal) beside it.
#[derive(Debug, Clone)]
pub struct AccessToken(Secret<String>);

impl AccessToken {
    /// The text, for an `Authorization: Bearer` header.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl FromRequest for AccessToken {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer(req).and_then(|token| token.ok_or_else(unauthenticated));
        ready(token.map(|token| Self(Secret::new(token.to_owned()))))
    }
}
