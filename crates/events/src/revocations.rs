//! Keeps a service's deny list up to date, so that a revoked session, key or user is refused everywhere within seconds.
//!
//! Events carry what happens from now on; what happened before is loaded from auth each time the queue is bound afresh.
//! Bound first and loaded second, nothing falls in between. The deny list only grows towards the stricter, so the order of
//! the two does not matter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::auth::v1::{ApiKeyRevoked, SessionRevoked, UserDisabled};
use contracts::{ApiKeyId, SessionId, Timestamp, UserId};
use kit::auth::{ClientCredentials, DenyList};
use kit::{CancellationToken, InternalClient, Task, Verifier};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::{Broker, Delivery, Failure, broadcast};

/// What auth answers to `GET /internal/revocations`: everything whose tokens have not all expired by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// In no particular order.
    pub items: Vec<Revocation>,
}

/// One session, user or key whose tokens are void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What `id` names.
    pub kind: RevocationKind,
    /// The id.
    pub id: Uuid,
    /// When it was revoked; a user's tokens issued after it are good.
    pub at: DateTime<Utc>,
    /// When the last of its tokens expires by itself.
    pub until: DateTime<Utc>,
}

/// What can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationKind {
    /// One session.
    Session,
    /// All sessions of a user.
    User,
    /// One API key.
    ApiKey,
    /// Something that a newer auth knows of and we do not.
    #[serde(other)]
    Other,
}

/// Feeds the verifier's deny list from events, and from `GET /internal/revocations` of auth.
pub fn revocations(
    broker: &Broker,
    verifier: Arc<Verifier>,
    auth: InternalClient,
    credentials: Arc<ClientCredentials>,
) -> Task {
    revocations_from(broker, verifier, move || {
        let (auth, credentials) = (auth.clone(), Arc::clone(&credentials));
        async move {
            let token = credentials.token("auth").await?;
            let answer: Revocations = auth.get("/internal/revocations").bearer(token.expose()).json().await?;
            Ok(answer.items)
        }
    })
}

/// The same with another source of what happened before: auth itself asks its own database.
pub fn revocations_from<F>(
    broker: &Broker,
    verifier: Arc<Verifier>,
    load: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> Task
where
    F: Future<Output = anyhow::Result<Vec<Revocation>>> + Send + 'static,
{
    let (sessions, users, keys, loaded) =
        (Arc::clone(&verifier), Arc::clone(&verifier), Arc::clone(&verifier), verifier);
    // Loading runs beside the events, which must not wait for an auth that is down. A new binding replaces the load
    // of the one before; the end of the task ends it.
    let loading = Mutex::new(None);
    broadcast(broker, "revocations")
        .on_attached(move || {
            let (load, verifier, stop) = (load.clone(), Arc::clone(&loaded), CancellationToken::new());
            *loading.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.clone().drop_guard());
            kit::tasks::spawn("revocations.load", async move { until_loaded(&load, &verifier, &stop).await });
            async {}
        })
        .on(move |delivery: Delivery<SessionRevoked>| {
            let verifier = Arc::clone(&sessions);
            async move {
                let id: SessionId = delivery.event.session_id.parse().map_err(Failure::fail)?;
                verifier.deny_list().deny_session(id, time(delivery.event.tokens_expire_at)?);
                Ok(())
            }
        })
        .on(move |delivery: Delivery<UserDisabled>| {
            let verifier = Arc::clone(&users);
            async move {
                let id: UserId = delivery.event.user_id.parse().map_err(Failure::fail)?;
                let (at, until) = (time(delivery.event.disabled_at)?, time(delivery.event.tokens_expire_at)?);
                verifier.deny_list().deny_user(id, at, until);
                Ok(())
            }
        })
        .on(move |delivery: Delivery<ApiKeyRevoked>| {
            let verifier = Arc::clone(&keys);
            async move {
                let id: ApiKeyId = delivery.event.api_key_id.parse().map_err(Failure::fail)?;
                verifier.deny_list().deny_api_key(id, time(delivery.event.tokens_expire_at)?);
                Ok(())
            }
        })
        .task()
}

async fn until_loaded<F>(load: &impl Fn() -> F, verifier: &Verifier, stop: &CancellationToken)
where
    F: Future<Output = anyhow::Result<Vec<Revocation>>>,
{
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    loop {
        match stop.run_until_cancelled(load()).await {
            None => return,
            Some(Ok(items)) => {
                tracing::info!(revocations = items.len(), "Loaded the revocations of before");
                for item in &items {
                    deny(verifier.deny_list(), item);
                }
                return;
            }
            Some(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "Cannot load the revocations of before yet");
            }
        }
        if !backoff.wait(stop).await {
            return;
        }
    }
}

fn deny(list: &DenyList, item: &Revocation) {
    match item.kind {
        RevocationKind::Session => list.deny_session(SessionId::from_uuid(item.id), item.until),
        RevocationKind::User => list.deny_user(UserId::from_uuid(item.id), item.at, item.until),
        RevocationKind::ApiKey => list.deny_api_key(ApiKeyId::from_uuid(item.id), item.until),
        RevocationKind::Other => tracing::warn!("auth revoked something this version does not know"),
    }
}

fn time(timestamp: Option<Timestamp>) -> Result<DateTime<Utc>, Failure> {
    let timestamp = timestamp.ok_or_else(|| Failure::fail(anyhow::anyhow!("a time is missing")))?;
    timestamp.try_into().map_err(|_| Failure::fail(anyhow::anyhow!("a time is out of range")))
}
