//! How answers of models leave.

mod headers;
mod sse;

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use kit::http::RequestIdText;
use serde_json::json;

use crate::{
    app::{
        complete_chat::Answer,
        stream_chat::{Body, Streaming},
    },
    domain::chat::Dialect,
    protocol::{ApiError, ErrorType},
};

/// Both vendors' client libraries obey it.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A whole answer.
pub fn whole(answer: Answer) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    headers::put(&mut response, &answer.about);
    response.content_type("application/json").body(answer.body)
}

/// A stream of events.
pub fn stream(stream: Streaming) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    headers::put(&mut response, &stream.about);
    response.content_type("text/event-stream; charset=utf-8");
    // For proxies that gather answers before they pass them on.
    response.insert_header(("x-accel-buffering", "no"));
    match stream.body {
        Body::Live(events) => response.body(sse::Events(events)),
        Body::Whole(bytes) => response.body(bytes),
    }
}

/// An error in the dialect's form.
pub fn refused(http: &HttpRequest, dialect: Dialect, error: &ApiError) -> HttpResponse {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = error.body(dialect);
    if dialect == Dialect::Messages
        && let (Some(body), Some(id)) = (body.as_object_mut(), http.extensions().get::<RequestIdText>())
    {
        body.insert("request_id".to_owned(), json!(id.as_str()));
    }
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if let Some(wait) = error.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.insert_header((RETRY_AFTER, seconds.max(1)));
    }
    if error.kind == ErrorType::InsufficientQuota {
        // A 429 like any other to a library, which would come back at once, in vain.
        response.insert_header((SHOULD_RETRY, HeaderValue::from_static("false")));
    }
    response.body(body.to_string())
}
