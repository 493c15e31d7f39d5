//! Has facts taken from turns. Several replicas share the work: each takes turns that no other has.

use std::time::Duration;

use kit::{CancellationToken, Task};

use crate::{
    app::extract_facts::{PAUSE, extract_facts},
    state::{AppState, Language},
};

/// Turns settle, pauses and leases end, a new day begins.
const LOOK: Duration = Duration::from_secs(1);

/// Has facts taken from whatever waits, as long as the service lives. There may be several of these.
pub fn extract(state: &AppState, language: Language) -> Task {
    let state = state.clone();
    Task::new("memory.extract", async move |stop: CancellationToken| {
        loop {
            // Turns that are being dealt with when it is time to leave are dealt with anew by somebody else.
            let pause = match stop.run_until_cancelled(extract_facts(&state, &language)).await {
                None => return Ok(()),
                Some(Ok(true)) => continue,
                Some(Ok(false)) => LOOK,
                Some(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "Facts cannot be taken from what was said; it will be tried again"
                    );
                    PAUSE
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    })
}
