//! Calls to the services behind the gateway.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use kit::Problem;
use kit::http::codes;

use super::caller;
use crate::domain::{path, route};
use crate::error;
use crate::proxy::{Answer, Call, Pool};
use crate::state::State;
use crate::upstream::{Dice, Upstream};

/// The methods of our APIs. TRACE would show headers that the client never sent; CONNECT makes tunnels.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Passes a call on, or says why not.
pub async fn forward(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
    pool: web::Data<Pool>,
    dice: web::Data<Dice>,
) -> Result<HttpResponse<Answer>, Problem> {
    let (route, upstream) = match admit(&request, &state) {
        Ok(admitted) => admitted,
        // What is at no prefix has been counted before it came here.
        Err(problem) if route::find(request.uri().path()).is_none() => return Err(problem),
        Err(problem) => return Err(caller::refuse(&request, &state, problem)),
    };
    let public = route::is_public(request.method().as_str(), request.uri().path());
    let authorization = if public {
        caller::unasked(&request, &state)?
    } else {
        caller::identify(&request, &state, route.class).await?
    };
    let call = Call {
        upstream,
        deadlines: &state.limits().of(route.class).deadlines,
        forwarded: state.forwarded(),
        authorization: &authorization,
        pool: &pool,
        dice: &dice,
    };
    Ok(call.send(&request, payload).await?)
}

/// What is wrong with a call whoever makes it.
fn admit<'a>(request: &HttpRequest, state: &'a State) -> Result<(&'static route::Route, &'a Arc<Upstream>), Problem> {
    let path = request.uri().path();
    path::check(path).map_err(|why| Problem::new(&error::AMBIGUOUS_PATH).detail(why.to_string()))?;
    let route = route::find(path).ok_or_else(|| Problem::new(&codes::NOT_FOUND))?;
    if !METHODS.contains(&request.method().as_str()) {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return Err(Problem::new(&codes::METHOD_NOT_ALLOWED).header(header::ALLOW, allow));
    }
    // After an upgrade the rest of the connection is no longer HTTP: either both ends agree on that, or nobody. Other
    // protocols than WebSocket are simply not taken up, as RFC 9110 section 7.8 allows.
    let upgrade = request
        .headers()
        .get_all(header::UPGRADE)
        .any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"));
    if upgrade {
        return Err(Problem::new(&error::UPGRADE_NOT_SUPPORTED).detail("WebSockets are not spoken on this route"));
    }
    let upstream = state.upstream(route.service).ok_or_else(|| Problem::new(&error::SERVICE_NOT_DEPLOYED))?;
    Ok((route, upstream))
}
