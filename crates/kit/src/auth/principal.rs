//! The caller of a request as a proof: a handler that takes a [`Principal`] cannot run without a verified token.
use std::{net::IpAddr, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
    web,
};
use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, OrgId, Origin, Role, Scope, ScopeSet, SessionId, UserId};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};

use super::{Claims, Verifier};
use crate::{
    Clock, Problem,
    http::{client_address, codes},
    telemetry,
};

/// Who calls, in which organization, and what they may do.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The person or service account.
    pub user: UserId,
    /// The organization they act in.
    pub org: OrgId,
    /// Their session.
    pub session: SessionId,
    /// Their role in the organization.
    pub role: Role,
    /// What the token allows.
    pub scopes: ScopeSet,
    /// When they last proved who they are.
    pub auth_time: DateTime<Utc>,
    /// When this token ends.
    pub token_expires_at: DateTime<Utc>,
    /// The API key behind the token, when there is one.
    pub api_key: Option<ApiKeyId>,
    /// The client's address as the nearest trusted proxy tells it.
    pub address: Option<IpAddr>,
}

impl Principal {
    /// From verified claims.
    pub fn new(claims: &Claims, address: Option<IpAddr>) -> Self {
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Self {
            user: claims.sub,
            org: claims.org,
            session: claims.sid,
            role: claims.role,
            scopes: claims.scope,
            auth_time: time(claims.auth_time),
            token_expires_at: time(claims.exp),
            api_key: claims.api_key,
            address,
        }
    }

    /// 403 `insufficient_scope` (RFC 6750 section 3.1) without the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        let challenge = format!("Bearer realm=\"brainops\", error=\"insufficient_scope\", scope=\"{scope}\"");
        let problem = Problem::new(&codes::INSUFFICIENT_SCOPE).detail(format!("This needs the scope {scope}"));
        Err(match HeaderValue::from_str(&challenge) {
            Ok(challenge) => problem.header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        })
    }

    /// The one organization that the caller can look into: a key acts in its own, and of the others of its owner it does not
    /// learn. `None` for a person, who may look into each that they belong to.
    pub fn confined_to(&self) -> Option<OrgId> {
        self.api_key.map(|_| self.org)
    }

    /// Stamps what this caller changes now, with the trace of the current span.
    pub fn origin(&self, clock: &dyn Clock) -> Origin {
        Origin {
            actor: Some(self.user.uuid()),
            org: Some(self.org),
            traceparent: telemetry::traceparent(),
            at: clock.now(),
        }
    }
}

/// A caller who may be nobody. A token that is sent must still be good: 401 otherwise.
#[derive(Debug, Clone)]
pub struct MaybePrincipal(pub Option<Principal>);

type Extracted<T> = Either<Ready<Result<T, Problem>>, LocalBoxFuture<'static, Result<T, Problem>>>;

impl FromRequest for Principal {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = match bearer(req) {
            Ok(Some(token)) => token,
            Ok(None) => return Either::Left(ready(Err(unauthenticated()))),
            Err(problem) => return Either::Left(ready(Err(problem))),
        };
        let verifier = match verifier(req) {
            Ok(verifier) => verifier,
            Err(problem) => return Either::Left(ready(Err(problem))),
        };
        let address = client_address(req);
        // Nearly every request: no future to box, nothing to wait for.
        if let Some(known) = verifier.verify_cached(token) {
            return Either::Left(ready(known.map(|claims| Self::new(&claims, address)).map_err(Problem::from)));
        }
        let token = token.to_owned();
        Either::Right(Box::pin(async move { Ok(Self::new(&*verifier.verify(&token).await?, address)) }))
    }
}

impl FromRequest for MaybePrincipal {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        match bearer(req) {
            Ok(None) => Either::Left(ready(Ok(Self(None)))),
            Ok(Some(_)) | Err(_) => match Principal::from_request(req, payload) {
                Either::Left(known) => Either::Left(ready(known.into_inner().map(|principal| Self(Some(principal))))),
                Either::Right(wait) => Either::Right(Box::pin(async move { wait.await.map(|p| Self(Some(p))) })),
            },
        }
    }
}

/// The token of `Authorization: Bearer …`; `None` when the header is absent or of another scheme.
pub(super) fn bearer(req: &HttpRequest) -> Result<Option<&str>, Problem> {
    let mut values = req.headers().get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new(&codes::BAD_REQUEST).detail("Send one Authorization header"));
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Ok(None);
    };
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

pub(super) fn unauthenticated() -> Problem {
    Problem::new(&codes::UNAUTHENTICATED)
        .detail("Send an access token or an API key: Authorization: Bearer …")
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"brainops\""))
}

pub(super) fn verifier(req: &HttpRequest) -> Result<Arc<Verifier>, Problem> {
    match req.app_data::<web::Data<Verifier>>() {
        Some(verifier) => Ok(Arc::clone(verifier)),
        None => Err(Problem::internal("the service has no token verifier")),
    }
}
