//! Another service as the caller: the only thing that `/internal/*` accepts.
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;

use super::principal::{bearer, unauthenticated, verifier};
use crate::{Problem, http::codes};

/// A service that proved its name with a token made for this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// The calling service: `gateway`.
    pub service: String,
}

impl ServicePrincipal {
    /// 403 unless the caller is one of these services.
    pub fn require(&self, services: &[&str]) -> Result<(), Problem> {
        if services.contains(&self.service.as_str()) { Ok(()) } else { Err(Problem::new(&codes::FORBIDDEN)) }
    }
}

impl FromRequest for ServicePrincipal {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = bearer(req)
            .and_then(|token| token.map(str::to_owned).ok_or_else(unauthenticated))
            .and_then(|token| Ok((token, verifier(req)?)));
        Box::pin(async move {
            let (token, verifier) = found?;
            let claims = verifier.verify_service(&token).await?;
            Ok(Self { service: claims.client.clone() })
        })
    }
}
