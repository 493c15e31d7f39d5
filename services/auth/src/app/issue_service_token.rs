//! A service gets a token to call another one (RFC 6749 section 4.4).

use kit::{Secret, Service as _, auth::ServiceClaims};

use crate::{Auth, domain::session, error::Error, state::AppState};

/// Who asks, and whom they want to call.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub client: String,
    pub secret: Secret<String>,
    pub audience: String,
}

/// Gives the token and its life in seconds. The audience must be the name of a service that exists.
pub fn issue_service_token(state: &AppState, request: &TokenRequest) -> Result<(Secret<String>, i64), Error> {
    let clients = &state.config.clients;
    if !clients.knows(&request.client, request.secret.expose()) {
        return Err(Error::InvalidClient);
    }
    if request.audience != Auth::NAME && !clients.has(&request.audience) {
        return Err(Error::InvalidTarget);
    }
    let now = state.clock.now().timestamp();
    let expires_in = session::ACCESS_TOKEN.num_seconds();
    let claims = ServiceClaims {
        iss: state.config.identity.issuer_name().to_owned(),
        aud: request.audience.clone(),
        sub: request.client.clone(),
        client: request.client.clone(),
        iat: now,
        nbf: now,
        exp: now + expires_in,
        jti: state.ids.uuid(),
    };
    Ok((Secret::new(state.signing.sign(&claims)?), expires_in))
}
