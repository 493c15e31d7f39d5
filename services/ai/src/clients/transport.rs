//! One HTTP exchange with a provider, over the plain client for those that the operator configured and over the guarded
//! one for URLs that organizations gave. Nothing here knows a protocol.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE, USER_AGENT},
};
use kit::{
    outbound::{Call, Limits, Opened, OutboundError},
    telemetry,
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{Failure, Kind, Providers, refusal::Refusals};
use crate::domain::provider::Provider;

/// A whole chat answer or a list of models.
pub(super) const ANSWER_BYTES: usize = 8 << 20;
/// 2,048 vectors of 3,072 numbers, written as decimals.
pub(super) const EMBEDDINGS_BYTES: usize = 64 << 20;
/// Everything that one stream may ever send.
pub(super) const STREAM_BYTES: usize = 64 << 20;
/// An error document; what is longer is not read.
const ERROR_BYTES: usize = 64 << 10;

/// A request on its way out.
pub(super) struct Outgoing<'a> {
    provider: &'a Provider,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl<'a> Outgoing<'a> {
    /// `GET` under the provider's base URL; `path` has no slash at either end.
    pub(super) fn get(provider: &'a Provider, path: &str) -> Self {
        Self::new(provider, Method::GET, path, Bytes::new())
    }

    /// `POST` of a JSON document.
    pub(super) fn post(provider: &'a Provider, path: &str, body: &impl serde::Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::new(Kind::BadRequest).caused_by(error))?;
        let mut outgoing = Self::new(provider, Method::POST, path, body.into());
        outgoing.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(outgoing)
    }

    fn new(provider: &'a Provider, method: Method, path: &str, body: Bytes) -> Self {
        let mut url = provider.base_url.clone();
        // A query of the base URL (`?api-version=`) stays.
        url.set_path(&format!("{}/{path}", provider.base_url.path().trim_end_matches('/')));
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("BrainOps/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Who else sees our traces is the operator's choice, not an organization's.
        if provider.trusted
            && let Some(parent) = telemetry::traceparent()
            && let Ok(parent) = HeaderValue::try_from(parent)
        {
            headers.insert("traceparent", parent);
        }
        Self { provider, method, url, headers, body }
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Puts the provider's key, if it has one, into header `name` after `prefix`.
    pub(super) fn key(mut self, name: &'static str, prefix: &str) -> Result<Self, Failure> {
        if let Some(key) = &self.provider.key {
            let mut value = HeaderValue::try_from(format!("{prefix}{}", key.expose()))
                .map_err(|_| Failure::new(Kind::Unauthenticated).caused_by("the key cannot be put into a header"))?;
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        Ok(self)
    }
}

/// The head of an answer, and its body to come.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// Bytes to come. Dropping it ends the call.
pub(super) enum Body {
    Plain { answer: reqwest::Response, limit: usize, taken: usize },
    Guarded(Opened),
}

impl Body {
    /// The next piece; nothing is read ahead of the asking.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Plain { answer, limit, taken } => {
                let chunk = answer.chunk().await.map_err(broken)?;
                *taken += chunk.as_ref().map_or(0, Bytes::len);
                if *taken > *limit { Err(too_large(*limit)) } else { Ok(chunk) }
            }
            Self::Guarded(opened) => opened.chunk().await.map_err(|error| match error {
                OutboundError::TooLarge(limit) => too_large(limit),
                OutboundError::Failed(error) => broken(error),
                error => Failure::new(Kind::Cut).caused_by(error),
            }),
        }
    }

    async fn whole(mut self) -> Result<Bytes, Failure> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut body = BytesMut::from(first);
        body.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

impl Providers {
    /// A JSON answer, whole. Anything but a 2xx is a failure.
    pub(super) async fn exchange(
        &self,
        outgoing: Outgoing<'_>,
        deadline: Duration,
        limit: usize,
    ) -> Result<Bytes, Failure> {
        let deadline = Instant::now() + deadline;
        let whole = async {
            let reply = self.send(outgoing, limit, deadline).await?;
            if !is_json(&reply.headers) {
                return Err(Failure::new(Kind::Malformed).caused_by("the answer is not JSON"));
            }
            reply.body.whole().await
        };
        timeout_at(deadline, whole).await.unwrap_or_else(|_| Err(Failure::new(Kind::Timeout)))
    }

    /// The head of a 2xx answer. Any other status is a failure, read from the error document.
    pub(super) async fn send(&self, outgoing: Outgoing<'_>, limit: usize, deadline: Instant) -> Result<Reply, Failure> {
        let provider = outgoing.provider;
        let reply = timeout_at(deadline, self.head(outgoing, limit, deadline));
        let mut reply = reply.await.unwrap_or_else(|_| Err(Failure::new(Kind::Timeout)))?;
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        // The status says enough when the document does not come, in time or at all.
        let mut document = BytesMut::new();
        while document.len() < ERROR_BYTES
            && let Ok(Ok(Some(chunk))) = timeout_at(deadline, reply.body.chunk()).await
        {
            document.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES - document.len())]);
        }
        Err(Refusals::of(provider).of_answer(reply.status, &reply.headers, &document))
    }

    async fn head(&self, outgoing: Outgoing<'_>, limit: usize, deadline: Instant) -> Result<Reply, Failure> {
        let Outgoing { provider, method, url, headers, body } = outgoing;
        if provider.trusted {
            let answer = self.trusted.request(method, url).headers(headers).body(body).send().await;
            let answer = answer.map_err(unreachable)?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            return Ok(Reply { status, headers, body: Body::Plain { answer, limit, taken: 0 } });
        }
        let timeout = deadline.saturating_duration_since(Instant::now());
        let limits = Limits { timeout, body_bytes: limit, redirects: 0 };
        let opened = self.guarded.open(Call { method, url, headers, body, limits }).await.map_err(refused)?;
        Ok(Reply { status: opened.status.as_u16(), headers: opened.headers.clone(), body: Body::Guarded(opened) })
    }
}

/// `application/json` or `application/…+json`.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|media| media == "application/json" || media.ends_with("+json"))
}

/// The content type without its parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

fn unreachable(error: reqwest::Error) -> Failure {
    let kind = if error.is_timeout() && !error.is_connect() { Kind::Timeout } else { Kind::Unreachable };
    Failure::new(kind).caused_by(error.without_url())
}

fn broken(error: reqwest::Error) -> Failure {
    Failure::new(Kind::Cut).caused_by(error.without_url())
}

fn refused(error: OutboundError) -> Failure {
    match error {
        OutboundError::Timeout(_) => Failure::new(Kind::Timeout),
        OutboundError::TooLarge(limit) => too_large(limit),
        OutboundError::Failed(error) => unreachable(error),
        // These texts are made for whoever gave the URL.
        error => Failure { message: Some(error.to_string()), ..Failure::new(Kind::Unreachable) }.caused_by(error),
    }
}

fn too_large(limit: usize) -> Failure {
    Failure::new(Kind::TooLarge).caused_by(format!("the answer is larger than {limit} bytes"))
}

/// An answer that is not what its protocol says. serde's message quotes values, so only the place is kept.
pub(super) fn malformed(error: &serde_json::Error) -> Failure {
    let what = format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
    Failure::new(Kind::Malformed).caused_by(what)
}
