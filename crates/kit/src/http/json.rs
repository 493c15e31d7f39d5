//! The body of a request as a checked value.
use std::ops::Deref;

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap},
    web::BytesMut,
};
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use validator::Validate;

use super::{
    FieldError, HttpOptions, Problem, codes, framework, idempotency,
    json_shape::{self, MAX_DEPTH, Misfit},
    validation,
};

/// A JSON body that parsed, fits `T` exactly and passed the rules of `T`.
///
/// `T` should be `#[serde(deny_unknown_fields)]`. The answers: 415 for another media type or a content coding, 413 for
/// too many bytes, 408 for too slow ones, 400 for text that is not JSON, 422 with every bad field for the rest.
#[derive(Debug, Clone)]
pub struct ValidJson<T>(pub T);

impl<T> ValidJson<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for ValidJson<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + Validate> ValidJson<T> {
    /// From text that came in another way than as the body of a request, by the same rules.
    ///
    /// # Errors
    /// `malformed_json` or `validation_failed`, the latter with every bad field.
    pub fn parse(text: &[u8]) -> Result<Self, Problem> {
        from_bytes(text).map(Self)
    }
}

impl<T: DeserializeOwned + Validate + 'static> FromRequest for ValidJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            check_headers(&req)?;
            let body = read(&req, payload).await?;
            idempotency::remember_body(&req, &body);
            Self::parse(&body)
        })
    }
}

fn check_headers(req: &HttpRequest) -> Result<(), Problem> {
    let json = req.mime_type().ok().flatten().is_some_and(|mime| {
        // `application/json`, `application/merge-patch+json` and the like; UTF-8 is the only charset of JSON (RFC 8259).
        let is_json = mime.type_() == "application"
            && (mime.subtype() == "json" || mime.suffix().is_some_and(|suffix| suffix == "json"));
        is_json && mime.get_param("charset").is_none_or(|charset| charset == "utf-8")
    });
    if !json {
        return Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE).detail("Send the body as application/json in UTF-8"));
    }
    // Compressed bodies are not taken at all, so there is nothing that can blow up.
    if is_encoded(req.headers()) {
        return Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE).detail("Send the body without a content coding"));
    }
    Ok(())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

async fn read(req: &HttpRequest, mut payload: Payload) -> Result<BytesMut, Problem> {
    let limit = HttpOptions::of(req).body_limit(req.match_pattern().as_deref());
    let announced = req
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or_default();
    if announced > limit {
        return Err(framework::too_large(limit));
    }
    // The announced size is believed only so far: memory is taken for what has come.
    let mut body = BytesMut::with_capacity(announced.min(8 * 1024));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| framework::payload(&error))?;
        if body.len() + chunk.len() > limit {
            return Err(framework::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn from_bytes<T: DeserializeOwned + Validate>(body: &[u8]) -> Result<T, Problem> {
    let invalid = || Problem::new(&codes::VALIDATION_FAILED);
    let whole = |code: &'static str, message: String| invalid().field(FieldError::new("", code, message));

    let seen = json_shape::glance(body);
    if seen.depth > MAX_DEPTH {
        return Err(whole("too_deep", format!("must not nest deeper than {MAX_DEPTH} levels")));
    }
    if std::str::from_utf8(body).is_err() {
        return Err(whole("invalid_utf8", "must be valid UTF-8".into()));
    }
    if seen.nul {
        return Err(invalid().fields(json_shape::nul_fields(body)));
    }
    match json_shape::parse::<T>(body) {
        Ok(value) => match value.validate() {
            Ok(()) => Ok(value),
            Err(errors) => Err(invalid().fields(validation::field_errors(&errors))),
        },
        Err(Misfit::Syntax(place)) => Err(Problem::new(&codes::MALFORMED_JSON).detail(place)),
        Err(Misfit::Shape(mut errors, fixed)) => {
            // Rules of the fields that did fit; those of a mended field would speak of the filler.
            let broken = fixed.and_then(|value| value.validate().err());
            for rule in broken.iter().flat_map(validation::field_errors) {
                if !errors.iter().any(|known| rule.field.starts_with(&known.field)) {
                    errors.push(rule);
                }
            }
            Err(invalid().fields(errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is used")]
    struct Signup {
        #[validate(email)]
        email: String,
        #[validate(length(min = 12))]
        password: String,
        age: u8,
    }

    fn refused(body: &[u8]) -> (&'static str, Vec<(String, String)>) {
        let problem = from_bytes::<Signup>(body).unwrap_err();
        let fields = problem.field_errors().iter().map(|e| (e.field.clone(), e.code.to_string())).collect();
        (problem.code().code, fields)
    }

    #[test]
    fn misfits_and_broken_rules_are_named_together() {
        let (code, fields) = refused(br#"{"email":"nobody","password":"short","age":"x","is_admin":true}"#);
        assert_eq!(code, "validation_failed");
        let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(
            fields,
            [("age", "invalid_type"), ("is_admin", "unknown_field"), ("email", "email"), ("password", "length")]
        );
    }

    #[test]
    fn a_missing_field_does_not_also_break_its_rule() {
        let (_, fields) = refused(br#"{"email":"a@b.example","age":3}"#);
        assert_eq!(fields, [("password".to_owned(), "missing".to_owned())]);
    }

    #[test]
    fn text_that_is_not_json_is_400_and_says_where() {
        for body in [&b"{"[..], b"", b"{} x", b"{\"age\":}", b"nope"] {
            assert_eq!(refused(body).0, "malformed_json", "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn broken_text_after_a_misfit_is_still_malformed() {
        assert_eq!(refused(br#"{"age":"x", "#).0, "malformed_json");
    }

    #[test]
    fn invalid_utf8_nul_and_depth_are_422() {
        assert_eq!(
            refused(b"{\"email\":\"\xff\"}"),
            ("validation_failed", vec![(String::new(), "invalid_utf8".into())])
        );
        assert_eq!(refused(br#"{"email":"\u0000"}"#), ("validation_failed", vec![("email".into(), "nul".into())]));
        let deep = [b"[".repeat(33), b"]".repeat(33)].concat();
        assert_eq!(refused(&deep), ("validation_failed", vec![(String::new(), "too_deep".into())]));
    }
}
