//! What is known about every request before its handler runs: its id and where it comes from.
use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::IpAddr,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{HeaderName, HeaderValue, USER_AGENT},
};
use contracts::Origin;

use super::client_address;
use crate::{Clock, Ids, RandomIds, telemetry};

/// `X-Request-Id`.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, as `X-Request-Id` carries it: 8 to 128 characters `A-Z a-z 0-9 . _ -`, so that it can go into a
/// log line or a header as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIdText(Arc<str>);

impl RequestIdText {
    /// Takes a client's id when it is well-formed.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !(8..=128).contains(&text.len()) || !text.iter().all(allowed) {
            return None;
        }
        std::str::from_utf8(text).ok().map(|text| Self(text.into()))
    }

    /// The client's id when it is well-formed and the only one, else a new one.
    pub(super) fn of(header: Option<&HeaderValue>) -> Self {
        // Not from the service's `Ids`: a test's sequence must not depend on how many requests were made.
        header
            .and_then(|value| Self::parse(value.as_bytes()))
            .unwrap_or_else(|| Self(RandomIds.uuid().to_string().into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        // Its characters are all valid in a header.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("invalid"))
    }
}

/// The request's id and the client's address and program; an extractor for handlers, with or without a principal.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The request's id; empty outside the [edge](super::edge).
    pub request_id: String,
    /// The client's address, as the nearest trusted proxy tells it.
    pub address: Option<IpAddr>,
    /// `User-Agent`, at most 256 characters, control characters removed.
    pub user_agent: Option<String>,
}

impl RequestContext {
    /// Reads it off the request.
    pub fn of(req: &HttpRequest) -> Self {
        let request_id = req.extensions().get::<RequestIdText>().map(|id| id.as_str().to_owned());
        let user_agent = req.headers().get(USER_AGENT).map(|value| {
            String::from_utf8_lossy(value.as_bytes()).chars().filter(|c| !c.is_control()).take(256).collect()
        });
        Self { request_id: request_id.unwrap_or_default(), address: client_address(req), user_agent }
    }

    /// Stamps what is changed now by somebody who is not signed in (register, log in, reset a password).
    pub fn origin(&self, clock: &dyn Clock) -> Origin {
        Origin { actor: None, org: None, traceparent: telemetry::traceparent(), at: clock.now() }
    }
}

impl FromRequest for RequestContext {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(req)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn well_formed_ids_are_taken_and_others_replaced() {
        for good in ["abcdefgh", "A.b_c-01", &"x".repeat(128)] {
            assert_eq!(RequestIdText::of(Some(&HeaderValue::from_str(good).unwrap())).as_str(), good);
        }
        for bad in ["", "short", "with space", "semi;colon", "quote\"quote", &"x".repeat(129)] {
            let made = RequestIdText::of(Some(&HeaderValue::from_str(bad).unwrap()));
            assert_ne!(made.as_str(), bad);
            assert_eq!(made.as_str().len(), 36);
        }
    }

    #[test]
    fn line_breaks_cannot_get_in() {
        assert_eq!(RequestIdText::parse(b"abcdefgh\r\nset-cookie: a=b"), None);
        assert_eq!(RequestIdText::parse(b"abcdefgh\n"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_safe_in_a_header_and_a_log_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            match RequestIdText::parse(&bytes) {
                Some(id) => {
                    prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\'));
                    prop_assert!((8..=128).contains(&id.as_str().len()));
                    let header = id.header();
                    prop_assert_eq!(header.as_bytes(), bytes.as_slice());
                }
                None => prop_assert!(bytes.len() < 8 || bytes.len() > 128
                    || bytes.iter().any(|b| !b.is_ascii_alphanumeric() && !b"._-".contains(b))),
            }
        }
    }
}
