//! Who calls, how often they may, and what services are shown of them.

use std::num::NonZeroU32;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::Either;
use kit::http::client_address;
use kit::{Principal, Problem};

use crate::domain::route::Class;
use crate::keys::{Credential, holds_key};
use crate::limits::{Caller, ONE, cost_of_unknown};
use crate::proxy::Authorization;
use crate::state::State;

/// The caller of something that is not for everybody. The service verifies again; this spares it calls that cannot
/// succeed, and keys.
pub async fn identify(request: &HttpRequest, state: &State, class: Class) -> Result<Authorization, Problem> {
    let (caller, authorization) = match Credential::of(request.headers()) {
        Ok(Credential::Key(key)) => of_key(request, state, key).await?,
        Ok(Credential::Other) => (of_token(request, state).await?, Authorization::AsSent),
        Err(problem) => return Err(refuse(request, state, problem)),
    };
    let (readings, admitted) = state.rate_limits().admit(&caller, class);
    request.extensions_mut().insert(readings);
    admitted?;
    Ok(authorization)
}

/// The caller of something that needs no credentials. A token that is sent all the same is the service's matter, good or
/// not; a key is for the gateway only.
pub fn unasked(request: &HttpRequest, state: &State) -> Result<Authorization, Problem> {
    unknown(request, state, cost_of_unknown(request.method().as_str()))?;
    Ok(if holds_key(request.headers()) { Authorization::Withheld } else { Authorization::AsSent })
}

async fn of_key(request: &HttpRequest, state: &State, key: &str) -> Result<(Caller, Authorization), Problem> {
    let (keys, address) = (state.api_keys(), client_address(request));
    let exchanged = match keys.known(key, address) {
        Some(Ok(exchanged)) => exchanged,
        // Whoever tries keys is stopped before auth is asked.
        not_known => {
            unknown(request, state, ONE)?;
            match not_known {
                Some(Err(refused)) => return Err(Problem::from(refused)),
                _ => keys.ask(key, address).await?,
            }
        }
    };
    let authorization = Authorization::Replaced(exchanged.authorization.clone());
    Ok((Caller::from(&*exchanged.claims), authorization))
}

async fn of_token(request: &HttpRequest, state: &State) -> Result<Caller, Problem> {
    let principal = match Principal::from_request(request, &mut Payload::None) {
        Either::Left(known) => match known.into_inner() {
            Ok(principal) => principal,
            Err(problem) => return Err(refuse(request, state, problem)),
        },
        // A token that was not seen before: whoever tries tokens is stopped before they are verified.
        Either::Right(verified) => {
            unknown(request, state, ONE)?;
            verified.await?
        }
    };
    Ok(Caller::from(&principal))
}

/// What a refused call is answered with. Refusing costs something too, so it is counted against where the call comes from,
/// and whoever goes on is told that it is too much.
pub fn refuse(request: &HttpRequest, state: &State, problem: Problem) -> Problem {
    unknown(request, state, ONE).err().unwrap_or(problem)
}

/// Counts the call against where it comes from.
fn unknown(request: &HttpRequest, state: &State, cost: NonZeroU32) -> Result<(), Problem> {
    let (readings, admitted) = state.rate_limits().admit_source(client_address(request), cost);
    request.extensions_mut().insert(readings);
    admitted.map_err(Problem::from)
}
