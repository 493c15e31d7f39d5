//! Calls of a Qdrant server, each with a deadline, and repeated when it may help. All of ours can be repeated.

use std::time::Duration;

use anyhow::{Context, anyhow};
use qdrant_client::{
    Qdrant, QdrantError,
    qdrant::{PointsOperationResponse, UpdateStatus},
};
use tokio::time::{sleep, timeout};

use super::QdrantSettings;
use crate::vectors::VectorError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Calls until it is given up.
const ATTEMPTS: u32 = 4;
/// Doubled after each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A server that asks for more gets no more.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Status codes of gRPC, as its documentation numbers them.
mod code {
    pub(super) const CANCELLED: i32 = 1;
    pub(super) const UNKNOWN: i32 = 2;
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(super) const ABORTED: i32 = 10;
    pub(super) const INTERNAL: i32 = 13;
    pub(super) const UNAVAILABLE: i32 = 14;
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such collection.
    Missing(anyhow::Error),
    /// It is there already.
    Exists(anyhow::Error),
    /// To ask again may help, after this pause if the server names one.
    Again(anyhow::Error, Option<Duration>),
    /// To ask again does not help.
    Refused(anyhow::Error),
}

impl From<QdrantError> for Failure {
    fn from(error: QdrantError) -> Self {
        let (status, pause) = match &error {
            QdrantError::ResponseError { status } => (status, None),
            QdrantError::ResourceExhaustedError { status, retry_after_seconds } => {
                (status, Some(Duration::from_secs(*retry_after_seconds)))
            }
            _ => return Self::Refused(anyhow!("{error}")),
        };
        let cause = anyhow!("{:?}: {}", status.code(), status.message());
        match status.code() as i32 {
            code::NOT_FOUND => Self::Missing(cause),
            code::ALREADY_EXISTS => Self::Exists(cause),
            // The client says that it cannot connect, and a server that it is not well, as an internal error; what it
            // says of its own timeout is that it cancelled.
            code::CANCELLED
            | code::UNKNOWN
            | code::DEADLINE_EXCEEDED
            | code::RESOURCE_EXHAUSTED
            | code::ABORTED
            | code::INTERNAL
            | code::UNAVAILABLE => Self::Again(cause, pause),
            _ => Self::Refused(cause),
        }
    }
}

impl From<Failure> for VectorError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing(cause) => Self::Damaged(cause),
            Failure::Exists(cause) | Failure::Again(cause, _) | Failure::Refused(cause) => Self::Unavailable(cause),
        }
    }
}

pub(super) struct Client {
    qdrant: Qdrant,
    deadline: Duration,
}

impl Client {
    /// Connects with the first call.
    pub(super) fn new(settings: &QdrantSettings) -> anyhow::Result<Self> {
        let mut config = Qdrant::from_url(settings.url.as_str())
            .timeout(settings.deadline)
            .connect_timeout(CONNECT_TIMEOUT)
            // It would block, and print.
            .skip_compatibility_check();
        if let Some(key) = &settings.api_key {
            // The client repeats a malformed key in its errors.
            anyhow::ensure!(key.expose().bytes().all(|byte| byte.is_ascii_graphic()), "the key of Qdrant is malformed");
            config = config.api_key(key.expose().as_str());
        }
        let qdrant = config.build().context("the client of Qdrant cannot be set up")?;
        Ok(Self { qdrant, deadline: settings.deadline })
    }

    /// Asks until there is an answer, an error that stays, or no patience left.
    pub(super) async fn call<'a, T, F>(&'a self, ask: impl Fn(&'a Qdrant) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + 'a,
    {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let late = |_| Err(Failure::Again(anyhow!("no answer within {:?}", self.deadline), None));
            match timeout(self.deadline, ask(&self.qdrant)).await.unwrap_or_else(late) {
                Err(Failure::Again(cause, wished)) if attempt < ATTEMPTS => {
                    tracing::debug!(attempt, error = %cause, "A call of Qdrant failed and is repeated");
                    sleep(wished.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                    pause *= 2;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }
}

/// A change counts when every search sees it; the server may also answer that it has only written it down.
pub(super) fn completed(response: &PointsOperationResponse) -> Result<(), Failure> {
    match &response.result {
        Some(result) if result.status() == UpdateStatus::Completed => Ok(()),
        result => Err(Failure::Again(anyhow!("the change was not completed: {result:?}"), None)),
    }
}
