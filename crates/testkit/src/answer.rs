//! What a service answered.

use reqwest::{StatusCode, header::HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An HTTP answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Sends a request and reads all of its answer.
    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("a whole body").to_vec();
        Self { status: status.as_u16(), headers, body }
    }

    /// The body; panics with all of it when the status is another one.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The `code` of a problem, after a look at its form: media type, status, title, request id (RFC 9457 and ours).
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        let problem = self.problem_body(status);
        problem["code"].as_str().unwrap_or_else(|| panic!("no code in {problem}")).to_owned()
    }

    /// The whole problem, after the same look.
    #[track_caller]
    pub fn problem_body(&self, status: u16) -> Value {
        let problem: Value = self.json(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["type"].as_str().is_some_and(|kind| kind.contains("/docs/errors/")), "{problem}");
        for member in ["title", "detail", "instance", "code", "request_id"] {
            assert!(problem[member].is_string(), "{member} in {problem}");
        }
        problem
    }

    /// The `code` of an error in OpenAI's form, after a look at that form.
    #[track_caller]
    pub fn openai_error(&self, status: u16) -> String {
        let body: Value = self.json(status);
        assert_eq!(self.header("content-type"), Some("application/json"), "{body}");
        let error = &body["error"];
        assert!(error["message"].is_string() && error["type"].is_string() && error.get("param").is_some(), "{body}");
        error["code"].as_str().unwrap_or_else(|| panic!("no code in {body}")).to_owned()
    }

    /// The type of an error in Anthropic's form, after a look at that form.
    #[track_caller]
    pub fn anthropic_error(&self, status: u16) -> String {
        let body: Value = self.json(status);
        assert_eq!(self.header("content-type"), Some("application/json"), "{body}");
        assert_eq!(body["type"], "error", "{body}");
        assert!(body["error"]["message"].is_string(), "{body}");
        body["error"]["type"].as_str().unwrap_or_else(|| panic!("no type in {body}")).to_owned()
    }

    /// The names of the fields that a problem finds at fault, sorted.
    #[track_caller]
    pub fn bad_fields(&self, status: u16) -> Vec<String> {
        let problem = self.problem_body(status);
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let mut fields: Vec<_> = errors.iter().filter_map(|error| error["field"].as_str().map(str::to_owned)).collect();
        fields.sort();
        fields
    }

    /// A header's value, when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether it is a 2xx.
    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success())
    }
}
