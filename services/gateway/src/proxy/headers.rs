//! Which headers cross the gateway. actix speaks the older `http` types, hyper the newer: every header is copied once.

use std::fmt::Write as _;

use actix_web::http::header as client_header;
use actix_web::{HttpMessage, HttpRequest};
use hyper::Request;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use kit::http::{RequestIdText, client_address};

use super::Failure;
use super::upload::Upload;
use crate::upstream::Replica;

/// What every service is told about where clients came in.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// `X-Forwarded-Proto`.
    proto: HeaderValue,
    /// `X-Forwarded-Host`.
    host: HeaderValue,
}

impl Forwarded {
    /// From the public base URL, not from what a client writes into `Host`: links that services build from it cannot be
    /// bent by a client.
    pub fn new(public: &url::Url) -> anyhow::Result<Self> {
        let mut host = public.host_str().unwrap_or_default().to_owned();
        if let Some(port) = public.port() {
            write!(host, ":{port}")?;
        }
        Ok(Self { proto: HeaderValue::from_str(public.scheme())?, host: HeaderValue::from_str(&host)? })
    }
}

/// What a service gets as `Authorization`.
#[derive(Clone, Debug)]
pub enum Authorization {
    /// What the client sent.
    AsSent,
    /// Nothing: what the client sent is not for services.
    Withheld,
    /// A token in place of what the client sent.
    Replaced(HeaderValue),
}

/// Meant for one connection only (RFC 9110 section 7.6.1), with the older names that some clients still send.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A service could take these for the gateway's word.
const SPOOFED: &[&str] =
    &["forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-original-url", "x-rewrite-url"];
const SPOOFED_PREFIXES: &[&str] = &["x-forwarded-", "x-user-", "x-org-", "x-internal-"];

/// What the gateway settles itself: its own `Host`, `Expect` (answered to the client already), content codings (it
/// compresses, services do not), the length (that of the body as it is sent), correlation, and API keys.
const OWN: &[&str] =
    &["host", "expect", "accept-encoding", "content-length", "traceparent", "x-request-id", "x-api-key"];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The request as a service gets it. `Host` is still missing: it names the replica.
pub fn to_upstream(
    request: &HttpRequest,
    forwarded: &Forwarded,
    authorization: &Authorization,
    body: Upload,
) -> Result<Request<Upload>, Failure> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut built =
        Request::builder().method(request.method().as_str()).uri(target).body(body).map_err(Failure::Unwritable)?;
    let headers = built.headers_mut();
    headers.reserve(request.headers().len() + 4);
    let named = named_in_connection(
        request.headers().get_all(client_header::CONNECTION).map(client_header::HeaderValue::as_bytes),
    );
    let keeps_authorization = matches!(authorization, Authorization::AsSent);
    for (name, value) in request.headers() {
        let name = name.as_str();
        if name == "authorization" && !keeps_authorization {
            continue;
        }
        if !is_dropped_up(name) && !named.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            append(headers, name, value.as_bytes());
        }
    }
    if let Authorization::Replaced(token) = authorization {
        headers.insert(header::AUTHORIZATION, token.clone());
    }
    if let Some(address) = client_address(request) {
        append(headers, X_FORWARDED_FOR.as_str(), address.to_string().as_bytes());
    }
    headers.insert(X_FORWARDED_PROTO, forwarded.proto.clone());
    headers.insert(X_FORWARDED_HOST, forwarded.host.clone());
    if let Some(id) = request.extensions().get::<RequestIdText>() {
        append(headers, X_REQUEST_ID.as_str(), id.as_str().as_bytes());
    }
    if let Some(parent) = kit::telemetry::traceparent() {
        append(headers, TRACEPARENT.as_str(), parent.as_bytes());
    }
    Ok(built)
}

/// The same request again; only for one without a body.
pub fn copy_without_body(request: &Request<Upload>) -> Request<Upload> {
    let mut copy = Request::new(Upload::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Addresses the request to a replica.
pub fn set_host(request: &mut Request<Upload>, replica: &Replica) {
    request.headers_mut().insert(header::HOST, replica.authority.clone());
}

/// Copies what the client gets of the answer's headers.
pub fn to_client(from: &HeaderMap, to: &mut client_header::HeaderMap) {
    let named = named_in_connection(from.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes));
    for (name, value) in from {
        let name = name.as_str();
        // actix writes the length of the body that it sends; a length without a body goes on as a header.
        if HOP_BY_HOP.contains(&name) || named.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            continue;
        }
        let name = client_header::HeaderName::from_bytes(name.as_bytes());
        let value = client_header::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            to.append(name, value);
        }
    }
}

/// `Content-Length`, when there is one.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the answer is a stream of events, which may last for hours.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().get(..EVENT_STREAM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM))
    })
}

fn is_dropped_up(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
        || OWN.contains(&name)
        || SPOOFED.contains(&name)
        || SPOOFED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The headers that `Connection` declares to be of this connection only. Usually none, and then nothing is allocated.
fn named_in_connection<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    values
        .filter_map(|value| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|option| {
            !option.is_empty() && !option.eq_ignore_ascii_case("keep-alive") && !option.eq_ignore_ascii_case("close")
        })
        // What a service cannot do without is not the client's to take away.
        .filter(|option| !option.eq_ignore_ascii_case("authorization") && !option.eq_ignore_ascii_case("content-type"))
        .collect()
}

/// Both sides accept the same header syntax, so nothing is lost here.
fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_names_headers_whatever_their_case() {
        let named = named_in_connection([&b"keep-alive, X-Secret ,close"[..], b"x-other"].into_iter());
        assert_eq!(named, ["X-Secret", "x-other"]);
    }

    #[test]
    fn what_a_service_could_take_for_our_word_is_dropped() {
        for name in
            ["x-forwarded-for", "x-user-id", "x-org-id", "x-internal-token", "forwarded", "te", "host", "x-api-key"]
        {
            assert!(is_dropped_up(name), "{name}");
        }
        for name in ["authorization", "content-type", "if-match", "idempotency-key", "x-custom", "x-organization"] {
            assert!(!is_dropped_up(name), "{name}");
        }
    }

    #[test]
    fn an_event_stream_is_told_by_its_type() {
        let of = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            is_event_stream(&headers)
        };
        assert!(of("text/event-stream") && of("Text/Event-Stream; charset=utf-8"));
        assert!(!of("text/plain") && !of("application/json"));
    }
}
