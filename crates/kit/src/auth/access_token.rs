//! The caller's own token, for asking another service with the caller's rights.
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;

use super::{
    Principal,
    principal::{bearer, unauthenticated},
};
use crate::{Problem, Secret};

/// A user token that has been verified here and can be sent on (`InternalRequest::bearer`). Never prints.
#[derive(Debug, Clone)]
pub struct AccessToken(Secret<String>);

impl AccessToken {
    /// The token itself, for an `Authorization` header and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl FromRequest for AccessToken {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let token = bearer(req).and_then(|token| token.map(str::to_owned).ok_or_else(unauthenticated));
        // What is not good here must not be carried further either.
        let verified = Principal::from_request(req, payload);
        Box::pin(async move {
            verified.await?;
            Ok(Self(Secret::new(token?)))
        })
    }
}
