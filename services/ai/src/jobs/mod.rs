//! Work beside the requests.

use std::time::Duration;

use kit::{CancellationToken, Task};

use crate::{
    app::{reseal_keys::reseal_keys, turns::forget_turns},
    state::AppState,
};

/// Between two looks for turns that nobody fetched.
const TURNS: Duration = Duration::from_mins(10);

/// Seals the keys of providers anew after the master keys were rotated; `interval` is the time between two looks.
pub fn reseal(state: &AppState, interval: Duration) -> Task {
    let state = state.clone();
    Task::new("ai.reseal", async move |stop: CancellationToken| {
        loop {
            match reseal_keys(&state).await {
                Ok(0) => {}
                Ok(keys) => tracing::info!(keys, "Sealed keys of providers anew"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "The keys of providers cannot be looked at; it will be tried again"
                ),
            }
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return Ok(());
            }
        }
    })
}

/// Forgets what was said in calls when memory does not come for it.
pub fn turns(state: &AppState) -> Task {
    let state = state.clone();
    Task::new("ai.turns", async move |stop: CancellationToken| {
        loop {
            match forget_turns(&state).await {
                Ok(0) => {}
                Ok(turns) => tracing::warn!(turns, "Forgot turns that memory never fetched"),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Old turns cannot be looked for");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(TURNS)).await.is_none() {
                return Ok(());
            }
        }
    })
}
