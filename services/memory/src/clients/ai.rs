//! What was said in calls of models, fetched from the ai service.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{CompletionId, OrgId, UserId};
use kit::{
    InternalClient,
    auth::{ClientCredentials, CredentialsError},
    outbound::{CallError, InternalRequest},
};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::message::Role;

const AI: &str = "ai";

/// A client of ai with memory's own credentials.
#[derive(Clone)]
pub struct AiClient {
    http: InternalClient,
    credentials: Arc<ClientCredentials>,
}

/// What was said in a call.
#[derive(Deserialize)]
pub struct Turn {
    /// Who called, or whose key it was.
    pub user_id: UserId,
    /// Which of an application's users talked; `None`: who called.
    pub user: Option<String>,
    /// The conversation, as the caller calls it.
    pub session_id: String,
    /// The alias of the model that answered.
    pub model: String,
    /// What was said since the model spoke last, and its answer.
    pub messages: Vec<Said>,
    pub finished_at: DateTime<Utc>,
}

/// A message of a turn.
#[derive(Deserialize)]
pub struct Said {
    pub role: Role,
    pub author: Option<String>,
    pub content: String,
    pub tool_calls: Option<Value>,
    pub tool_call_id: Option<String>,
    /// The answer did not come to its end.
    pub interrupted: bool,
}

/// A turn could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AiError {
    #[error("there is no token for ai")]
    Credentials(#[from] CredentialsError),
    #[error("ai gave no turn")]
    Call(#[from] CallError),
}

impl AiClient {
    pub fn new(http: InternalClient, credentials: Arc<ClientCredentials>) -> Self {
        Self { http, credentials }
    }

    /// What was said in a call; `None` when it is not there (any more).
    pub async fn turn(&self, org: OrgId, id: CompletionId) -> Result<Option<Turn>, AiError> {
        match self.call(Method::GET, org, id).await?.json().await {
            Ok(turn) => Ok(Some(turn)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// It is remembered; ai need not keep it.
    pub async fn forget(&self, org: OrgId, id: CompletionId) -> Result<(), AiError> {
        match self.call(Method::DELETE, org, id).await?.done().await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn call(&self, method: Method, org: OrgId, id: CompletionId) -> Result<InternalRequest, AiError> {
        let token = self.credentials.token(AI).await?;
        let path = format!("/internal/organizations/{org}/completions/{id}/turn");
        Ok(self.http.request(method, &path).bearer(token.expose()))
    }

    async fn failed(&self, error: CallError) -> AiError {
        if matches!(error.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
            self.credentials.forget(AI).await;
        }
        error.into()
    }
}
