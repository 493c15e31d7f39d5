//! Optimistic concurrency: a resource's `version` as a strong entity tag (RFC 9110 section 8.8.3), `If-Match` on change.
use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, EntityTag, HeaderName, HeaderValue},
};

use super::{Problem, codes};
use crate::ExpectedVersion;

/// The `ETag` header of a version, for `HttpResponse::insert_header`.
pub fn etag(version: i64) -> (HeaderName, HeaderValue) {
    let tag = EntityTag::new_strong(version.to_string()).to_string();
    // Digits and quotes are always a valid header value.
    (header::ETAG, HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\"")))
}

/// The client's `If-Match`: which version it means to change.
///
/// Absent and `*` mean any version. One strong tag is taken; lists are a 400 (no client of ours needs one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(ExpectedVersion);

impl IfMatch {
    /// No stored version is negative, so a tag that is not one of ours never matches.
    const FOREIGN: i64 = -1;

    /// The version to change.
    pub fn version(self) -> ExpectedVersion {
        self.0
    }

    fn read(req: &HttpRequest) -> Result<Self, Problem> {
        let malformed =
            || Problem::new(&codes::BAD_REQUEST).detail("If-Match must be * or one entity tag such as \"3\"");
        let mut values = req.headers().get_all(header::IF_MATCH);
        let (Some(value), None) = (values.next(), values.next()) else {
            return if req.headers().contains_key(header::IF_MATCH) {
                Err(malformed())
            } else {
                Ok(Self(ExpectedVersion::ANY))
            };
        };
        let text = value.to_str().map_err(|_| malformed())?.trim();
        if text == "*" {
            return Ok(Self(ExpectedVersion::ANY));
        }
        let tag: EntityTag = text.parse().map_err(|_| malformed())?;
        // If-Match compares strongly: a weak tag matches nothing.
        let version = if tag.weak { None } else { tag.tag().parse().ok().filter(|version| *version >= 0) };
        Ok(Self(ExpectedVersion::exactly(version.unwrap_or(Self::FOREIGN))))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(req))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::VersionMismatch;

    fn read(value: &str) -> Result<IfMatch, Problem> {
        IfMatch::read(&TestRequest::default().insert_header((header::IF_MATCH, value)).to_http_request())
    }

    #[test]
    fn an_etag_comes_back_as_its_version() {
        let (name, value) = etag(3);
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("etag", "\"3\""));
        let wanted = read("\"3\"").unwrap();
        assert_eq!(wanted.version(), ExpectedVersion::exactly(3));
        assert_eq!(wanted.version().check(3), Ok(()));
        assert_eq!(wanted.version().check(4), Err(VersionMismatch { current: 4 }));
    }

    #[test]
    fn absent_and_star_match_any_version() {
        let absent = IfMatch::read(&TestRequest::default().to_http_request()).unwrap();
        for any in [absent, read("*").unwrap()] {
            assert_eq!(any.version().check(9), Ok(()));
        }
    }

    #[test]
    fn foreign_weak_and_negative_tags_match_nothing() {
        for value in ["\"abc\"", "W/\"3\"", "\"-1\"", "\"\"", "\"99999999999999999999\""] {
            assert!(read(value).unwrap().version().check(3).is_err(), "{value}");
        }
    }

    #[test]
    fn malformed_values_are_400() {
        for value in ["3", "\"3", "\"1\", \"2\"", ""] {
            assert_eq!(read(value).unwrap_err().code().status, 400, "{value}");
        }
        let twice = TestRequest::default()
            .append_header((header::IF_MATCH, "\"1\""))
            .append_header((header::IF_MATCH, "\"2\""))
            .to_http_request();
        assert_eq!(IfMatch::read(&twice).unwrap_err().code().status, 400);
    }
}
