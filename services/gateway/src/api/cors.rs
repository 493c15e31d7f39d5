//! Cross-origin calls from browsers (Fetch standard, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! An exact list of origins and no credentials: callers authenticate by header, so a foreign page has nothing to ride on.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use kit::Problem;

use crate::error;
use crate::state::State;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// Ten minutes; browsers take no more than two hours.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// What a page may read besides the few that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Location, Link, Retry-After, WWW-Authenticate, X-Request-Id, Request-Id, Idempotency-Replayed, RateLimit, \
     RateLimit-Policy, Deprecation, Sunset, Server-Timing, X-RateLimit-Limit-Requests, X-RateLimit-Limit-Tokens, \
     X-RateLimit-Remaining-Requests, X-RateLimit-Remaining-Tokens, X-RateLimit-Reset-Requests, \
     X-RateLimit-Reset-Tokens, X-BrainOps-Model, X-BrainOps-Provider, X-BrainOps-Cost-NanoUSD, \
     X-BrainOps-Overhead-Ms, X-BrainOps-Attempts, X-BrainOps-Cache, X-BrainOps-Recalled, X-BrainOps-Warnings",
);

/// Answers preflights, and marks the answers to listed origins as readable.
pub async fn cors<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let state = request.app_data::<web::Data<State>>().filter(|state| state.has_cors());
    let Some(state) = state else { return Ok(next.call(request).await?.map_into_left_body()) };
    let origin = request.headers().get(header::ORIGIN);
    let allowed = origin.filter(|origin| state.allows_origin(origin.as_bytes())).cloned();
    if origin.is_some() && is_preflight(&request) {
        let response = preflight(&request, allowed)?;
        return Ok(request.into_response(response).map_into_right_body());
    }
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    Ok(response.map_into_left_body())
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(request: &ServiceRequest, allowed: Option<HeaderValue>) -> Result<HttpResponse, Problem> {
    let Some(origin) = allowed else { return Err(Problem::new(&error::ORIGIN_NOT_ALLOWED)) };
    let mut response = HttpResponse::NoContent().finish();
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    // A listed origin may send what it likes: client libraries add headers of their own, and none of them is trusted.
    if let Some(wanted) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    let vary = HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    headers.insert(header::VARY, vary);
    Ok(response)
}
