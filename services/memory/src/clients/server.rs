//! A server that answers JSON with JSON, from an address that the operator configured.

use std::time::Duration;

use futures_util::StreamExt as _;
use kit::{Secret, outbound::plain_client_of};
use reqwest::StatusCode;
use serde::Serialize;
use url::Url;

/// Client errors that are not the fault of what was sent: it is fine once the server is less busy, or the operator has mended
/// the key or the model.
const OF_THE_SERVER: [StatusCode; 5] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
];

/// Where models are.
#[derive(Clone, Debug)]
pub struct Server {
    /// With its version segment.
    pub base_url: Url,
    pub key: Option<Secret<String>>,
}

/// A client for one server. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    server: Server,
    /// What it is to memory, as in "the embedding server".
    name: &'static str,
}

/// Why a server gave no answer that is of use.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It may work later.
    #[error("{0} cannot be reached or is overloaded")]
    Unavailable(&'static str, #[source] anyhow::Error),
    /// The same, but it may have worked on it.
    #[error("{0} did not answer in time")]
    Late(&'static str),
    /// It will not work with what was sent: it is too long, say, or not acceptable.
    #[error("{0} refused what was sent with status {1}")]
    Refused(&'static str, StatusCode),
    #[error("{0} answered something of no use: {1}")]
    Malformed(&'static str, &'static str),
}

impl Caller {
    pub fn new(name: &'static str, server: Server) -> Self {
        Self { http: plain_client_of(&server.base_url), server, name }
    }

    /// What the server answers within `deadline` to a document posted to `path` below its base URL: at most `largest` bytes,
    /// of which `read` makes something or says what is wrong.
    pub async fn post<T>(
        &self,
        path: &str,
        document: &impl Serialize,
        (largest, deadline): (usize, Duration),
        read: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, CallError> {
        let answer = tokio::time::timeout(deadline, self.document(path, document, largest)).await;
        let document = answer.unwrap_or(Err(CallError::Late(self.name)))?;
        read(&document).map_err(|wrong| CallError::Malformed(self.name, wrong))
    }

    async fn document(&self, path: &str, document: &impl Serialize, largest: usize) -> Result<Vec<u8>, CallError> {
        let unavailable = |error: reqwest::Error| CallError::Unavailable(self.name, error.without_url().into());
        let mut url = self.server.base_url.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        let mut request = self.http.post(url).json(document);
        if let Some(key) = &self.server.key {
            request = request.bearer_auth(key.expose());
        }
        let answer = request.send().await.map_err(unavailable)?;
        match answer.status() {
            status if status.is_success() => {}
            status if status.is_client_error() && !OF_THE_SERVER.contains(&status) => {
                return Err(CallError::Refused(self.name, status));
            }
            status => return Err(CallError::Unavailable(self.name, anyhow::anyhow!("status {status}"))),
        }
        let mut document = Vec::new();
        let mut body = answer.bytes_stream();
        while let Some(bytes) = body.next().await {
            document.extend_from_slice(&bytes.map_err(unavailable)?);
            if document.len() > largest {
                return Err(CallError::Malformed(self.name, "too much of it"));
            }
        }
        Ok(document)
    }
}
