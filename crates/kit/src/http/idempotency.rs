//! The `Idempotency-Key` of a request. This module reads it; the owning service's transaction stores and replays.
use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::HeaderName};

use super::{Problem, codes};

static HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest key, in characters.
const MAX_LENGTH: usize = 255;

/// The `Idempotency-Key` header, if there is one: 1 to 255 visible ASCII characters, else 422.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The key, when the client sent one.
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The key, where it is required (money moves).
    pub fn require(&self) -> Result<&str, Problem> {
        self.get()
            .ok_or_else(|| Problem::new(&codes::BAD_REQUEST).detail("This request needs an Idempotency-Key header"))
    }

    fn read(req: &HttpRequest) -> Result<Self, Problem> {
        let mut values = req.headers().get_all(&HEADER);
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(key) if visible && (1..=MAX_LENGTH).contains(&key.len()) && values.next().is_none() => {
                Ok(Self(Some(key.to_owned())))
            }
            _ => Err(Problem::new(&codes::INVALID_IDEMPOTENCY_KEY)
                .detail("Send one Idempotency-Key of 1 to 255 visible ASCII characters")),
        }
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(req))
    }
}

#[derive(Clone, Copy)]
struct BodyHash([u8; 32]);

/// Keeps the hash of the body for [`body_hash`]; only a request with a key needs it.
pub(super) fn remember_body(req: &HttpRequest, body: &[u8]) {
    if req.headers().contains_key(&HEADER) {
        req.extensions_mut().insert(BodyHash(*blake3::hash(body).as_bytes()));
    }
}

/// BLAKE3 of the bytes that [`ValidJson`](super::ValidJson) read, for a request with an `Idempotency-Key`; of no bytes
/// when there was no body. Ask after the extractors ran, in the handler.
pub fn body_hash(req: &HttpRequest) -> [u8; 32] {
    req.extensions().get::<BodyHash>().map_or_else(|| *blake3::hash(b"").as_bytes(), |hash| hash.0)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(value: &str) -> Result<IdempotencyKey, Problem> {
        IdempotencyKey::read(&TestRequest::default().insert_header((HEADER.clone(), value)).to_http_request())
    }

    #[test]
    fn keys_of_1_to_255_visible_characters_are_taken() {
        assert_eq!(read("a").unwrap().get(), Some("a"));
        assert_eq!(read(&"k".repeat(255)).unwrap().require().unwrap().len(), 255);
    }

    #[test]
    fn other_keys_are_422() {
        for value in ["", "with space", "tab\tbed", "ümlaut", &"k".repeat(256)] {
            assert_eq!(read(value).unwrap_err().code().status, 422, "{value:?}");
        }
    }

    #[test]
    fn no_key_is_fine_unless_required() {
        let key = IdempotencyKey::read(&TestRequest::default().to_http_request()).unwrap();
        assert_eq!(key.get(), None);
        assert_eq!(key.require().unwrap_err().code().status, 400);
    }
}
