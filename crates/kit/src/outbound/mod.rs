//! Outgoing HTTP. [`Outbound`] is for URLs that users give (webhooks, tools, automation) and reaches public addresses
//! only; [`InternalClient`] is for calls between our own services.

mod address;
mod internal;
mod resolver;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use ipnet::IpNet;
use url::{Origin, Url};

pub use internal::{CallError, InternalClient, InternalRequest};
use resolver::{Guard, Lookup, Refused};

/// What an [`Outbound`] client may do beyond public https.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Plain http as well.
    pub http_too: bool,
    /// Networks that may be reached although they are not public: an operator's own, or a test's loopback.
    pub also: Vec<IpNet>,
}

impl Policy {
    fn permits(&self, address: IpAddr) -> bool {
        address::is_public(address) || self.also.iter().any(|net| net.contains(&address))
    }
}

/// Bounds of one call, redirects included.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte out to the last byte in.
    pub timeout: Duration,
    /// Of the answer's body.
    pub body_bytes: usize,
    /// How many redirects are followed; more are an error. 0 returns the redirect itself.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), body_bytes: 1 << 20, redirects: 5 }
    }
}

/// One call to a URL that a user gave.
#[derive(Clone, Debug)]
pub struct Call {
    /// Any method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// `Host`, lengths and connection headers are ours and are ignored here. A redirect to another origin keeps only
    /// `Accept`, `Accept-Language`, `Content-Type` and `User-Agent`.
    pub headers: HeaderMap,
    /// May be empty.
    pub body: Bytes,
    /// Time, size and redirects.
    pub limits: Limits,
}

impl Call {
    /// A call without headers or body, with default limits.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), limits: Limits::default() }
    }
}

/// What came back. Any status: a 500 of theirs is an answer, not an error of ours.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status of the last hop.
    pub status: StatusCode,
    /// Headers of the last hop.
    pub headers: HeaderMap,
    /// The whole body, undecoded.
    pub body: Bytes,
    /// The last hop.
    pub url: Url,
}

/// An answer whose body is still to come. Dropping it ends the call at the other side.
#[derive(Debug)]
pub struct Opened {
    /// Any status.
    pub status: StatusCode,
    /// Of the answer.
    pub headers: HeaderMap,
    answer: reqwest::Response,
    limit: usize,
    taken: usize,
}

impl Opened {
    /// The next piece of the body, `None` at its end. Nothing is read ahead of whoever asks, so a slow reader slows the
    /// sender. How long to wait is the caller's to say.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let chunk = self.answer.chunk().await.map_err(|error| OutboundError::Failed(error.without_url()))?;
        self.taken += chunk.as_ref().map_or(0, Bytes::len);
        if self.taken > self.limit { Err(OutboundError::TooLarge(self.limit)) } else { Ok(chunk) }
    }
}

/// Why a call gave no answer. The texts may be shown to whoever gave the URL: none names an address behind a name.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Not https (or http where that is permitted).
    #[error("the URL must start with https://")]
    Scheme,
    /// `user:password@host`: sent where it does not belong, and used to disguise the host.
    #[error("the URL must not contain a user name or password")]
    Credentials,
    /// No host, or a name that means this network by definition.
    #[error("the URL's host is not a public one")]
    Host,
    /// The host is, or resolves to, an address that is not public.
    #[error("the URL's host is not at a public address")]
    Address,
    /// One hop more than allowed, or a `Location` that is no URL.
    #[error("the URL redirects too often or to nowhere")]
    Redirect,
    /// The answer is larger than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// Not done in time.
    #[error("no complete answer within {0:?}")]
    Timeout(Duration),
    /// The name does not resolve, nobody listens, TLS failed, the connection broke.
    #[error("the host could not be reached or did not speak HTTP")]
    Failed(#[source] reqwest::Error),
}

/// The guarded client.
///
/// A host is checked when its name has been resolved, and the connection goes to the very addresses that were checked,
/// so a name that changes its mind (DNS rebinding) gains nothing. Every redirect is a new hop with all checks. No proxy
/// of the environment is used, since it would resolve names by itself.
#[derive(Clone, Default)]
pub struct Outbound(Arc<Inner>);

#[derive(Default)]
struct Inner {
    policy: Policy,
    lookup: Lookup,
    // Made at first use: loading the machine's certificates costs more than most services ever need.
    client: OnceLock<reqwest::Client>,
}

impl Outbound {
    /// A client under `policy`; the default policy is public https only.
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(Inner { policy, ..Inner::default() }))
    }

    /// Whether `url` may be called, as far as can be told without resolving its host: to refuse it when it is stored. Each
    /// call looks again.
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        match address::check_url(url, self.0.policy.http_too)? {
            Some(address) if !self.0.policy.permits(address) => Err(OutboundError::Address),
            _ => Ok(()),
        }
    }

    /// Makes the call, following redirects within its limits.
    pub async fn call(&self, call: Call) -> Result<Answer, OutboundError> {
        let timeout = call.limits.timeout;
        tokio::time::timeout(timeout, self.follow(call)).await.unwrap_or(Err(OutboundError::Timeout(timeout)))
    }

    /// Makes the call and gives the head of its answer; the body is read piece by piece. Redirects are not followed
    /// whatever the limits say, the time limit holds until the head, the size limit for the whole body.
    pub async fn open(&self, call: Call) -> Result<Opened, OutboundError> {
        let Limits { timeout, body_bytes: limit, .. } = call.limits;
        let answer = tokio::time::timeout(timeout, self.hop(&call)).await;
        let answer = answer.unwrap_or(Err(OutboundError::Timeout(timeout)))?;
        if answer.content_length().is_some_and(|length| length > limit as u64) {
            return Err(OutboundError::TooLarge(limit));
        }
        Ok(Opened { status: answer.status(), headers: answer.headers().clone(), answer, limit, taken: 0 })
    }

    async fn follow(&self, mut call: Call) -> Result<Answer, OutboundError> {
        let mut hops = 0;
        loop {
            let answer = self.hop(&call).await?;
            let next = match answer.headers().get(LOCATION) {
                Some(location) if is_redirect(answer.status()) && call.limits.redirects > 0 => location,
                _ => return read(answer, call.url, call.limits.body_bytes).await,
            };
            if hops == call.limits.redirects {
                return Err(OutboundError::Redirect);
            }
            hops += 1;
            let next = next.to_str().ok().and_then(|next| call.url.join(next).ok()).ok_or(OutboundError::Redirect)?;
            redirect(&mut call, answer.status(), next);
        }
    }

    async fn hop(&self, call: &Call) -> Result<reqwest::Response, OutboundError> {
        // An address needs no resolver, so reqwest would not ask ours.
        self.check(&call.url)?;
        let mut headers = call.headers.clone();
        for ours in OUR_HEADERS {
            headers.remove(ours);
        }
        self.client()
            .request(call.method.clone(), call.url.clone())
            .headers(headers)
            .body(call.body.clone())
            .send()
            .await
            .map_err(|error| if was_refused(&error) { OutboundError::Address } else { OutboundError::Failed(error) })
    }

    fn client(&self) -> &reqwest::Client {
        self.0.client.get_or_init(|| {
            let guard = Guard { policy: self.0.policy.clone(), lookup: self.0.lookup.clone() };
            build(|| builder().dns_resolver(Arc::new(guard.clone())).user_agent("BrainOps/1 (+outbound)"))
        })
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbound").field(&self.0.policy).finish()
    }
}

/// Headers that describe the connection or the message's framing (RFC 9110 7.6.1, RFC 9112): never a caller's to set.
const OUR_HEADERS: [HeaderName; 9] = [
    http::header::HOST,
    http::header::CONNECTION,
    CONTENT_LENGTH,
    http::header::TRANSFER_ENCODING,
    http::header::TE,
    http::header::TRAILER,
    http::header::UPGRADE,
    http::header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// Headers that mean the same to any host.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT];

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Turns `call` into the next hop, as RFC 9110 15.4 and the fetch standard have it.
fn redirect(call: &mut Call, status: StatusCode, next: Url) {
    let as_get = match status.as_u16() {
        303 => call.method != Method::HEAD,
        301 | 302 => call.method == Method::POST,
        _ => false,
    };
    if as_get {
        call.method = Method::GET;
        call.body = Bytes::new();
        call.headers.remove(CONTENT_TYPE);
    }
    if same_origin(&call.url.origin(), &next.origin()) {
        call.url = next;
        return;
    }
    let kept = HARMLESS.iter().filter_map(|name| Some((name.clone(), call.headers.get(name)?.clone()))).collect();
    call.headers = kept;
    call.url = next;
}

fn same_origin(a: &Origin, b: &Origin) -> bool {
    a.is_tuple() && a == b
}

async fn read(mut answer: reqwest::Response, url: Url, limit: usize) -> Result<Answer, OutboundError> {
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(OutboundError::TooLarge(limit));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(OutboundError::Failed)? {
        if body.len() + chunk.len() > limit {
            return Err(OutboundError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: answer.status(), headers: answer.headers().clone(), body: body.freeze(), url })
}

/// Whether our resolver said no, somewhere down the chain of causes.
fn was_refused(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Refused>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A client for addresses that operators configure: our own services, collectors. No redirects, no proxy.
pub fn plain_client() -> reqwest::Client {
    build(builder)
}

/// [`plain_client`] for one server. When that speaks http, the client has no certificates and trusts no https server:
/// loading the machine's takes many milliseconds.
pub fn plain_client_of(server: &Url) -> reqwest::Client {
    if server.scheme() == "https" {
        return plain_client();
    }
    finish(common(builder()).tls_certs_only([]))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that makes HTTP clients")]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
}

/// Builds with the machine's root certificates. `builder` may be asked twice.
fn build(builder: impl Fn() -> reqwest::ClientBuilder) -> reqwest::Client {
    common(builder()).build().unwrap_or_else(|error| {
        // A machine without certificates can still speak http to its neighbours; https will say what is wrong.
        tracing::warn!(%error, "TLS has no root certificates, so no https server will be trusted; install ca-certificates");
        finish(common(builder()).tls_certs_only([]))
    })
}

/// What holds for every client of ours.
fn common(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    crate::tls::install();
    builder
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        .pool_idle_timeout(Duration::from_mins(1))
        .tcp_nodelay(true)
}

#[expect(clippy::expect_used, reason = "a fixed configuration: the provider is installed, no certificate can be wrong")]
fn finish(builder: reqwest::ClientBuilder) -> reqwest::Client {
    builder.build().expect("an HTTP client without certificates")
}

#[cfg(test)]
mod tests;
