//! Loads the keys of auth before the first caller needs them.

use std::sync::Arc;
use std::time::Duration;

use kit::{CancellationToken, HealthCheck, Verifier};

/// Tries until the keys are there, so that no caller has to wait for them.
pub async fn load_keys(verifier: Arc<Verifier>, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    while verifier.check().await.is_err() {
        if stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none() {
            break;
        }
    }
    Ok(())
}
