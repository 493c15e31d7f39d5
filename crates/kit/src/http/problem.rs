//! Error answers: RFC 9457 `application/problem+json`, the only form in which an error leaves a service.
//!
//! A service's error enum implements [`Coded`]; `?` turns it into a [`Problem`]. What the client reads
//! (`code`, `detail`, `errors`) and what the operator reads (the source chain, logged once by the
//! [edge](super::edge)) are kept apart.
use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::codes;

/// `application/problem+json`.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One name for one kind of error, for machines (`code`, `status`) and people (`title`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// `snake_case`, stable for ever.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// One short sentence without a full stop; the same for every occurrence.
    pub title: &'static str,
}

impl ErrorCode {
    /// For statics: `static NOT_FOUND: ErrorCode = ErrorCode::new("project_not_found", 404, "…");`
    pub const fn new(code: &'static str, status: u16, title: &'static str) -> Self {
        Self { code, status, title }
    }

    /// Where the page about this code is, relative to the public base URL.
    pub fn page(&self) -> String {
        format!("/docs/errors/{}", self.code)
    }

    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A crate's table of error codes: a static for each row, and one that lists them all.
///
/// ```ignore
/// kit::error_codes! {
///     /// The codes that this service adds to those of kit and db.
///     pub static CODES;
///
///     SLUG_TAKEN = "slug_taken", 409, "Another organization has this slug";
/// }
/// ```
#[macro_export]
macro_rules! error_codes {
    (
        $(#[$about:meta])* pub static $all:ident;
        $($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*
    ) => {
        $($(#[$doc])* pub static $name: $crate::ErrorCode = $crate::ErrorCode::new($code, $status, $title);)*

        $(#[$about])*
        pub static $all: &[&$crate::ErrorCode] = &[$(&$name),*];
    };
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field: `name`, `items[2].price`; empty for the body as a whole.
    pub field: String,
    /// `snake_case` kind of the mistake: `length`, `missing`, `unknown_field`.
    #[schema(value_type = String)]
    pub code: Cow<'static, str>,
    /// For people.
    pub message: String,
}

impl FieldError {
    /// A field's error.
    pub fn new(field: impl Into<String>, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into() }
    }
}

/// An error that knows its code. The rest has defaults: no detail, no fields, no retry hint.
pub trait Coded: StdError + Send + Sync + 'static {
    /// The row of the service's error table.
    fn code(&self) -> &'static ErrorCode;

    /// What the client reads about this occurrence. Never SQL, paths or another tenant's data.
    /// Status 500 ignores it.
    fn detail(&self) -> Option<String> {
        None
    }

    /// The fields at fault.
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }

    /// How long the client should wait before it tries again (`Retry-After`, whole seconds, rounded up).
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Further response headers, such as `WWW-Authenticate`.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }
}

/// An error answer before it is bound to its request.
pub struct Problem {
    code: &'static ErrorCode,
    detail: Option<String>,
    fields: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The JSON members of an error answer (RFC 9457 section 3, with our extensions).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// URL reference of the page that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors/validation_failed")]
    pub kind: String,
    /// The same sentence for every occurrence of the code.
    #[schema(value_type = String, example = "Some fields are not acceptable")]
    pub title: &'static str,
    /// HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// Path of the request.
    #[schema(example = "/v1/projects")]
    pub instance: String,
    /// Stable machine-readable code.
    #[schema(value_type = String, example = "validation_failed")]
    pub code: &'static str,
    /// Quote it when you report the error.
    pub request_id: String,
    /// The fields at fault, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(code: &'static ErrorCode) -> Self {
        Self { code, detail: None, fields: Vec::new(), headers: Vec::new(), source: None }
    }

    /// An unmapped failure: an opaque 500 for the client, the whole chain for the operator.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(&codes::INTERNAL_ERROR).caused_by(source)
    }

    /// What the client reads about this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn field(mut self, field: FieldError) -> Self {
        self.fields.push(field);
        self
    }

    /// Adds fields at fault.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = FieldError>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// `Retry-After` in whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        match HeaderValue::from_str(&seconds.to_string()) {
            Ok(value) => self.header(header::RETRY_AFTER, value),
            Err(_) => self,
        }
    }

    /// A further response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What the operator reads: logged with its source chain when the status is 5xx.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind.
    pub fn code(&self) -> &'static ErrorCode {
        self.code
    }

    /// The fields at fault.
    pub fn field_errors(&self) -> &[FieldError] {
        &self.fields
    }

    /// The members as the client reads them.
    pub fn body(&self, request_id: &str, instance: &str) -> ProblemBody {
        // An unexpected failure has nothing to tell but its request id.
        let detail = match (&self.detail, self.code.status) {
            (_, 500) => "The error has been recorded; quote the request id when you report it".into(),
            (Some(detail), _) => detail.clone(),
            (None, _) => self.code.title.into(),
        };
        ProblemBody {
            kind: self.code.page(),
            title: self.code.title,
            status: self.code.status,
            detail,
            instance: instance.into(),
            code: self.code.code,
            request_id: request_id.into(),
            errors: self.fields.clone(),
        }
    }

    /// The whole answer, bound to a request.
    pub fn response(&self, request_id: &str, instance: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status_code());
        response.content_type(PROBLEM_JSON);
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response.body(self.body(request_id, instance).to_json())
    }

    /// The source chain in one line, outermost first; empty when there is no source.
    pub fn chain(&self) -> String {
        let mut line = String::new();
        let mut next: Option<&(dyn StdError + 'static)> = self.source();
        while let Some(error) = next {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&error.to_string());
            next = error.source();
        }
        line
    }
}

impl ProblemBody {
    /// The same with the status as it was answered: the framework has more statuses than we have codes.
    #[must_use]
    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Serialized; these members always serialize.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl<E: Coded> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut problem = Self::new(error.code()).fields(error.fields());
        problem.detail = error.detail();
        problem.headers = error.headers();
        if let Some(wait) = error.retry_after() {
            problem = problem.retry_after(wait);
        }
        problem.caused_by(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.code)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("code", &self.code.code)
            .field("status", &self.code.status)
            .field("detail", &self.detail)
            .field("fields", &self.fields)
            .field("chain", &self.chain())
            .finish_non_exhaustive()
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status_code()
    }

    /// Without its request; the edge fills in request id and instance.
    fn error_response(&self) -> HttpResponse {
        self.response("", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BROKEN: ErrorCode = ErrorCode::new("store_broken", 500, "The store is broken");
    static BUSY: ErrorCode = ErrorCode::new("store_busy", 503, "The store is busy");

    #[derive(Debug, thiserror::Error)]
    #[error("store failed")]
    struct StoreError(#[source] std::io::Error, &'static ErrorCode);

    impl Coded for StoreError {
        fn code(&self) -> &'static ErrorCode {
            self.1
        }
        fn detail(&self) -> Option<String> {
            Some("relation \"secrets\" does not exist".into())
        }
        fn retry_after(&self) -> Option<Duration> {
            Some(Duration::from_millis(1200))
        }
    }

    fn store_error(code: &'static ErrorCode) -> StoreError {
        StoreError(std::io::Error::other("SELECT * FROM secrets"), code)
    }

    #[test]
    fn a_500_shows_neither_detail_nor_cause_but_keeps_the_chain_for_the_operator() {
        let problem = Problem::from(store_error(&BROKEN));
        let body = String::from_utf8(problem.body("req-12345", "/v1/x").to_json()).unwrap();
        assert!(!body.contains("secrets"), "{body}");
        assert!(body.contains("req-12345"), "{body}");
        assert_eq!(problem.chain(), "store failed: SELECT * FROM secrets");
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        let response = Problem::from(store_error(&BUSY)).error_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "2");
    }

    #[test]
    fn the_body_has_every_member_of_the_convention() {
        let problem = Problem::new(&codes::VALIDATION_FAILED).field(FieldError::new(
            "name",
            "length",
            "must have at least 1 character",
        ));
        let json = serde_json::to_value(problem.body("abcdefgh", "/v1/projects")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "/docs/errors/validation_failed",
                "title": "Some fields are not acceptable",
                "status": 422,
                "detail": "Some fields are not acceptable",
                "instance": "/v1/projects",
                "code": "validation_failed",
                "request_id": "abcdefgh",
                "errors": [{"field": "name", "code": "length", "message": "must have at least 1 character"}],
            })
        );
    }
}
