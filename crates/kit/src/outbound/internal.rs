//! Calls from one service to another: a deadline, the caller's trace, and a token on every one.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::telemetry;

/// One JSON answer between services is never larger; what is larger is streamed and not called this way.
const BODY_BYTES: usize = 8 << 20;

/// A client of one peer. Cheap to clone; one a process and peer.
#[derive(Clone, Debug)]
pub struct InternalClient {
    peer: &'static str,
    base: Url,
    deadline: Duration,
    http: reqwest::Client,
}

/// Why a call to another service gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The peer could not be reached, or the connection broke.
    #[error("{peer} could not be reached")]
    Unreachable {
        /// Who.
        peer: &'static str,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The peer did not answer in time.
    #[error("{peer} did not answer within {deadline:?}")]
    Deadline {
        /// Who.
        peer: &'static str,
        /// The time it had.
        deadline: Duration,
    },
    /// The peer answered with an error.
    #[error("{peer} answered {status} {code}")]
    Status {
        /// Who.
        peer: &'static str,
        /// The HTTP status.
        status: StatusCode,
        /// The problem document's `code`, empty when there was none.
        code: String,
    },
    /// The answer is not what was agreed.
    #[error("{peer} answered something else than agreed: {what}")]
    Answer {
        /// Who.
        peer: &'static str,
        /// In what way; no content.
        what: String,
    },
}

impl CallError {
    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Deadline { .. } => true,
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Answer { .. } => false,
        }
    }

    /// The peer's HTTP status, when it answered with an error.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl InternalClient {
    /// A client of `peer` at `base`, whose path is put before every path. The default deadline is 5 s.
    pub fn new(peer: &'static str, mut base: Url) -> Self {
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let http = super::plain_client_of(&base);
        Self { peer, base, deadline: Duration::from_secs(5), http }
    }

    /// The same with another default deadline.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// `GET path`; the path may have a query and starts with `/`.
    pub fn get(&self, path: &str) -> InternalRequest {
        self.request(Method::GET, path)
    }

    /// `POST path`.
    pub fn post(&self, path: &str) -> InternalRequest {
        self.request(Method::POST, path)
    }

    /// Any method. Parts of `path` that come from outside must be typed ids or percent-encoded.
    pub fn request(&self, method: Method, path: &str) -> InternalRequest {
        let url = format!("{}{}", self.base, path.trim_start_matches('/'));
        let mut builder = self.http.request(method, url);
        if let Some(parent) = telemetry::traceparent() {
            builder = builder.header("traceparent", parent);
        }
        InternalRequest { peer: self.peer, deadline: self.deadline, builder }
    }
}

/// A call being put together. Carries the current trace already.
#[must_use = "nothing is sent before `send`, `json` or `done`"]
#[derive(Debug)]
pub struct InternalRequest {
    peer: &'static str,
    deadline: Duration,
    builder: reqwest::RequestBuilder,
}

impl InternalRequest {
    /// Who asks: the caller's own access token, so that permissions stay the caller's, or this service's
    /// client-credential token for `/internal/*`.
    pub fn bearer(mut self, token: &str) -> Self {
        self.builder = self.builder.bearer_auth(token);
        self
    }

    /// HTTP Basic, as OAuth clients authenticate (RFC 6749 2.3.1).
    pub fn basic(mut self, client: &str, secret: &str) -> Self {
        self.builder = self.builder.basic_auth(client, Some(secret));
        self
    }

    /// A further header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// A JSON body.
    pub fn body(mut self, body: &impl Serialize) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// A form body (`application/x-www-form-urlencoded`).
    pub fn form(mut self, body: &impl Serialize) -> Self {
        self.builder = self.builder.form(body);
        self
    }

    /// Another deadline for this call: what is left of the caller's own, for example.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sends, and reads a 2xx answer as JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, CallError> {
        let peer = self.peer;
        let (_, body) = self.send().await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Answer { peer, what: shape(&error) })
    }

    /// Sends, and expects a 2xx answer whose body does not matter.
    pub async fn done(self) -> Result<(), CallError> {
        self.send().await.map(|_| ())
    }

    /// Sends, and gives status and body of a 2xx answer.
    pub async fn send(self) -> Result<(StatusCode, Vec<u8>), CallError> {
        let Self { peer, deadline, builder } = self;
        match tokio::time::timeout(deadline, exchange(peer, builder)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Deadline { peer, deadline }),
        }
    }
}

async fn exchange(peer: &'static str, builder: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), CallError> {
    // A URL may hold an address of the inside; the peer's name says enough.
    let unreachable = |source: reqwest::Error| CallError::Unreachable { peer, source: source.without_url() };
    let mut answer = builder.send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_BYTES {
            return Err(CallError::Answer { peer, what: format!("more than {BODY_BYTES} bytes") });
        }
        body.extend_from_slice(&chunk);
    }
    let status = answer.status();
    if status.is_success() {
        return Ok((status, body));
    }
    let code = serde_json::from_slice::<serde_json::Value>(&body)
        .ok()
        .and_then(|problem| problem.get("code")?.as_str().map(str::to_owned))
        .unwrap_or_default();
    Err(CallError::Status { peer, status, code })
}

/// Where JSON went wrong without what it said: serde's own message quotes values.
fn shape(error: &serde_json::Error) -> String {
    format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
}
