//! Collects the services' descriptions of their APIs from their private ports.

use std::time::Duration;

use kit::CancellationToken;
use serde_json::Value;

use crate::clients::private;
use crate::state::State;
use crate::upstream::{Health, Upstream};

const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// A description changes with a deployment only.
const WHEN_COMPLETE: Duration = Duration::from_secs(30);

/// Asks every service until `stop`: each `every` while one has not answered yet, rarely after that.
pub async fn describe(state: State, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let mut complete = true;
        for upstream in state.upstreams() {
            match fetch(upstream).await {
                Ok(document) => state.description().learn(upstream.service, document),
                Err(error) => {
                    complete = false;
                    tracing::debug!(upstream = %upstream.service, error = format!("{error:#}"), "A service does not describe itself");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(if complete { WHEN_COMPLETE } else { every }) => {}
        }
    }
    Ok(())
}

/// From any replica; one that is well, if there is one.
async fn fetch(upstream: &Upstream) -> anyhow::Result<Value> {
    let replicas = upstream.replicas();
    let replica = replicas.iter().find(|replica| replica.health() == Health::Well).or_else(|| replicas.first());
    let private = replica.and_then(|replica| replica.private).ok_or_else(|| anyhow::anyhow!("no replica is known"))?;
    let (status, body) = private::get(private, "/openapi.json", ANSWER_WITHIN).await?;
    anyhow::ensure!(status.is_success(), "status {status}");
    let document: Value = serde_json::from_slice(&body)?;
    anyhow::ensure!(document["paths"].is_object(), "not an OpenAPI document");
    Ok(document)
}
