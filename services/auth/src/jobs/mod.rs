//! Work beside the requests. What is due is decided from rows; the interval only says how often somebody looks.

use std::time::Duration;

use kit::{CancellationToken, Task};

use crate::{
    app::{
        end_replaced_keys::end_replaced_keys, rotate_keys::rotate_keys, sweep_expired::sweep_expired,
        write_key_uses::write_key_uses,
    },
    error::Error,
    state::AppState,
};

/// Between two tries after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// Makes, announces, deletes and loads signing keys.
pub fn keys(state: &AppState) -> Task {
    let (state, interval) = (state.clone(), state.config.key_interval);
    every("auth.keys", interval, move || {
        let state = state.clone();
        async move { rotate_keys(&state).await }
    })
}

/// Tells of replaced API keys whose grace is over, and deletes what nobody can use any more.
pub fn sweep(state: &AppState) -> Task {
    let (state, interval) = (state.clone(), state.config.sweep_interval);
    every("auth.sweep", interval, move || {
        let state = state.clone();
        async move {
            end_replaced_keys(&state).await?;
            let swept = sweep_expired(&state).await?;
            tracing::debug!(?swept, "Swept what has expired");
            Ok(())
        }
    })
}

/// Writes when API keys were last used, at the end of the process too: that comes after the last request.
pub fn key_uses(state: &AppState) -> Task {
    let (state, interval) = (state.clone(), state.config.key_use_interval);
    Task::new("auth.key_uses", async move |stop: CancellationToken| {
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none();
            if let Err(error) = write_key_uses(&state).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "When API keys were last used cannot be written now");
            }
            if stopped {
                return Ok(());
            }
        }
    })
}

fn every<F>(name: &'static str, interval: Duration, work: impl Fn() -> F + Send + Sync + 'static) -> Task
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    Task::new(name, async move |stop: CancellationToken| {
        loop {
            let pause = match work().await {
                Ok(()) => interval,
                Err(error) => {
                    tracing::warn!(
                        task.name = name,
                        error = &error as &dyn std::error::Error,
                        "A job failed and will be tried again"
                    );
                    AGAIN
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    })
}
