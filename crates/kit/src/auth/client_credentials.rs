//! This service's own tokens for calling others (OAuth 2.0 client credentials, RFC 6749 section 4.4).
use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{Clock, Secret, outbound::plain_client};

const TIMEOUT: Duration = Duration::from_secs(3);
/// A token this close to its end is replaced, so that it does not end on its way.
const MARGIN: TimeDelta = TimeDelta::seconds(30);

/// A service token could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// auth could not be reached or answered nonsense.
    #[error("the auth service gave no token")]
    Unavailable(#[source] reqwest::Error),
    /// auth refused the credentials: the status it answered.
    #[error("the auth service refused the service credentials with status {0}")]
    Refused(u16),
}

/// Fetches and keeps one token per called service.
pub struct ClientCredentials {
    http: reqwest::Client,
    endpoint: String,
    client: String,
    secret: Secret<String>,
    clock: Arc<dyn Clock>,
    slots: std::sync::Mutex<HashMap<String, Slot>>,
}

/// Held while fetching, so that many callers make one request.
type Slot = Arc<Mutex<Option<Token>>>;

#[derive(Clone)]
struct Token {
    text: Arc<Secret<String>>,
    renew_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: i64,
}

impl ClientCredentials {
    /// `auth_url` is the auth service's base URL; `client` and `secret` are this service's registration there.
    pub fn new(auth_url: &str, client: impl Into<String>, secret: Secret<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            http: plain_client(),
            endpoint: format!("{}/internal/token", auth_url.trim_end_matches('/')),
            client: client.into(),
            secret,
            clock,
            slots: std::sync::Mutex::default(),
        }
    }

    /// A token for calling the service `audience`.
    pub async fn token(&self, audience: &str) -> Result<Arc<Secret<String>>, CredentialsError> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(slots.entry(audience.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(token) = slot.as_ref().filter(|token| token.renew_at > self.clock.now()) {
            return Ok(Arc::clone(&token.text));
        }
        let token = self.fetch(audience).await?;
        let text = Arc::clone(&token.text);
        *slot = Some(token);
        Ok(text)
    }

    /// Drops the kept token: the callee refused it (after a key rotation that went wrong, say).
    pub async fn forget(&self, audience: &str) {
        let slot = {
            let slots = self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            slots.get(audience).cloned()
        };
        if let Some(slot) = slot {
            *slot.lock().await = None;
        }
    }

    async fn fetch(&self, audience: &str) -> Result<Token, CredentialsError> {
        let asked_at = self.clock.now();
        let response = self
            .http
            .post(&self.endpoint)
            .timeout(TIMEOUT)
            .basic_auth(&self.client, Some(self.secret.expose()))
            .form(&[("grant_type", "client_credentials"), ("audience", audience)])
            .send()
            .await
            .map_err(CredentialsError::Unavailable)?;
        let status = response.status();
        if !status.is_success() {
            return Err(CredentialsError::Refused(status.as_u16()));
        }
        let answer: Answer = response.json().await.map_err(CredentialsError::Unavailable)?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(CredentialsError::Refused(status.as_u16()));
        }
        // A very short life still leaves half of it to use.
        let life = TimeDelta::seconds(answer.expires_in.clamp(1, 86_400));
        let usable = (life - MARGIN).max(life / 2);
        Ok(Token { text: Arc::new(Secret::new(answer.access_token)), renew_at: asked_at + usable })
    }
}
