//! Deletes what has been gone for so long that every index knows, and forgets memories whose time is over.

use std::time::Duration;

use chrono::TimeDelta;
use kit::{CancellationToken, Task};

use crate::{
    app::expire::expire,
    state::AppState,
    store::{extractions, purges},
};

/// Between two looks.
const INTERVAL: Duration = Duration::from_mins(1);
/// An index that was away for longer is made anew.
const KEPT: TimeDelta = TimeDelta::days(7);
/// Rows of one transaction.
const BATCH: i64 = 1_000;

/// Cleans up, as long as the service lives.
pub fn purge(state: &AppState) -> Task {
    let state = state.clone();
    Task::new("memory.purge", async move |stop: CancellationToken| {
        loop {
            if let Err(error) = round(&state).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "What is gone cannot be deleted; it will be tried again"
                );
            }
            if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                return Ok(());
            }
        }
    })
}

async fn round(state: &AppState) -> Result<(), crate::error::Error> {
    while expire(state).await? {}
    let before = state.clock.now() - KEPT;
    while state.db.system("purge").tx(move |conn| Ok::<_, db::Error>(purges::purge(conn, before, BATCH)?)).await? {}
    while state.db.system("purge").tx(move |conn| Ok::<_, db::Error>(extractions::purge(conn, before, BATCH)?)).await? {
    }
    Ok(())
}
