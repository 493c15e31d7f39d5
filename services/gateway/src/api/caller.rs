//! Who calls, and what services are shown of it.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use kit::http::client_address;
use kit::{Principal, Problem};

use crate::keys::{Credential, holds_key};
use crate::proxy::Authorization;
use crate::state::State;

/// The caller of something that is not for everybody. The service verifies again; this spares it calls that cannot
/// succeed, and keys.
pub async fn identify(request: &HttpRequest, state: &State) -> Result<Authorization, Problem> {
    let key = match Credential::of(request.headers())? {
        Credential::Key(key) => key,
        Credential::Other => {
            Principal::from_request(request, &mut Payload::None).await?;
            return Ok(Authorization::AsSent);
        }
    };
    let (keys, address) = (state.api_keys(), client_address(request));
    let exchanged = match keys.known(key, address) {
        Some(known) => known?,
        None => keys.ask(key, address).await?,
    };
    Ok(Authorization::Replaced(exchanged.authorization.clone()))
}

/// The caller of something that needs no credentials. A token that is sent all the same is the service's matter, good or
/// not; a key is for the gateway only.
pub fn unasked(request: &HttpRequest) -> Authorization {
    if holds_key(request.headers()) { Authorization::Withheld } else { Authorization::AsSent }
}
