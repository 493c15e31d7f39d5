//! auth: the exchange of an API key for a token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contracts::ApiKeyId;
use hyper::StatusCode;
use kit::auth::ClientCredentials;
use kit::http::codes;
use kit::outbound::CallError;
use kit::{InternalClient, Secret};
use serde::{Deserialize, Serialize};

const AUTH: &str = "auth";
const WITHIN: Duration = Duration::from_secs(3);

/// Why a key was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It is not good.
    #[error("auth refused the key")]
    Refused,
    /// Nobody can say.
    #[error("auth could not be asked")]
    Unavailable(#[source] anyhow::Error),
}

/// What auth gives for a key.
#[derive(Debug, Deserialize)]
pub struct Exchange {
    /// A user token with the key in its claims.
    pub access_token: Secret<String>,
    /// Whose it is.
    pub api_key_id: ApiKeyId,
}

#[derive(Serialize)]
struct Question<'a> {
    key: &'a str,
    address: Option<IpAddr>,
}

/// A client of auth with the gateway's own credentials.
pub struct AuthClient {
    http: InternalClient,
    credentials: Arc<ClientCredentials>,
}

impl AuthClient {
    /// Nothing is asked before it is needed.
    pub fn new(http: InternalClient, credentials: Arc<ClientCredentials>) -> Self {
        Self { http, credentials }
    }

    /// Asks auth for a token in place of `key`, which a client sent from `address`.
    pub async fn exchange(&self, key: &Secret<String>, address: Option<IpAddr>) -> Result<Exchange, ExchangeError> {
        let unavailable = |error: anyhow::Error| ExchangeError::Unavailable(error);
        let token = self.credentials.token(AUTH).await.map_err(|error| unavailable(error.into()))?;
        let call = self.http.post("/internal/api-keys/exchange").bearer(token.expose()).deadline(WITHIN);
        match call.body(&Question { key: key.expose(), address }).json().await {
            Ok(answer) => Ok(answer),
            Err(CallError::Status { code, .. }) if code == codes::INVALID_API_KEY.code => Err(ExchangeError::Refused),
            Err(error) => {
                // Not the key: our own token is what auth does not take.
                if matches!(error.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
                    self.credentials.forget(AUTH).await;
                }
                Err(unavailable(error.into()))
            }
        }
    }
}
