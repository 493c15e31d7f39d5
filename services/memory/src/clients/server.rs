//! A server that answers JSON with JSON, from an address that the operator configured.

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
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It may work later.
    #[error("the server cannot be reached or is overloaded")]
    Unavailable(#[source] anyhow::Error),
    /// It will not work with what was sent.
    #[error("the server refused what was sent with status {0}")]
    Refused(StatusCode),
    #[error("the server answered too much")]
    TooLarge,
}

impl Caller {
    pub fn new(server: Server) -> Self {
        Self { http: plain_client_of(&server.base_url), server }
    }

    /// What the server answers to a document posted to `path` below its base URL: at most `largest` bytes.
    pub async fn post(&self, path: &str, document: &impl Serialize, largest: usize) -> Result<Vec<u8>, CallError> {
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
                return Err(CallError::Refused(status));
            }
            status => return Err(CallError::Unavailable(anyhow::anyhow!("status {status}"))),
        }
        let mut document = Vec::new();
        let mut body = answer.bytes_stream();
        while let Some(bytes) = body.next().await {
            document.extend_from_slice(&bytes.map_err(unavailable)?);
            if document.len() > largest {
                return Err(CallError::TooLarge);
            }
        }
        Ok(document)
    }
}

fn unavailable(error: reqwest::Error) -> CallError {
    CallError::Unavailable(error.without_url().into())
}
