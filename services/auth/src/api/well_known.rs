//! What verifies access tokens: public, and the same for everybody.

use actix_web::{HttpResponse, http::header::CACHE_CONTROL, web::Data};
use contracts::Scope;
use kit::auth::{JwkSet, KeySet as _};

use super::dto::DiscoveryView;
use crate::state::AppState;

/// A key is published an hour before it signs, so five minutes of cache never hide the one that is needed.
const CACHE: (actix_web::http::header::HeaderName, &str) = (CACHE_CONTROL, "public, max-age=300");

/// Read the public keys that access tokens are verified with.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "keys", operation_id = "get_jwks", security(()), responses(
    (status = 200, description = "Keys that sign now, will sign soon, or signed what may still live (RFC 7517)", body = JwkSet),
))]
pub async fn jwks(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().insert_header(CACHE).json(state.signing.keys())
}

/// Read where everything else is.
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "keys", operation_id = "get_openid_configuration", security(()), responses(
    (status = 200, description = "What this issuer offers", body = DiscoveryView),
))]
pub async fn discovery(state: Data<AppState>) -> HttpResponse {
    let issuer = state.config.identity.issuer_name();
    HttpResponse::Ok().insert_header(CACHE).json(DiscoveryView {
        issuer: issuer.to_owned(),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        response_types_supported: [],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
        scopes_supported: Scope::ALL.iter().map(|scope| scope.as_str()).collect(),
        claims_supported: &[
            "iss",
            "aud",
            "sub",
            "org",
            "sid",
            "role",
            "scope",
            "amr",
            "auth_time",
            "iat",
            "nbf",
            "exp",
            "jti",
        ],
    })
}
