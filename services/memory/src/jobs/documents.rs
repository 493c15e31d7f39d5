//! Reads documents that were uploaded. Several replicas share the work: each takes documents that no other has.

use std::time::Duration;

use kit::{CancellationToken, Task};

use super::signal;
use crate::{app::index_document::index_document, extractor::Extractor, state::AppState};

/// Somebody else may have taken an upload, and pauses and leases end.
const LOOK: Duration = Duration::from_secs(1);
/// After a failure of ours.
const PAUSE: Duration = Duration::from_secs(5);

/// Reads one document after another, as long as the service lives. There may be several of these: each has one process at
/// a time that reads.
pub fn documents(state: &AppState, extractor: Extractor) -> Task {
    let state = state.clone();
    Task::new("memory.documents", async move |stop: CancellationToken| {
        loop {
            // A document that is being read when it is time to leave is begun anew by somebody else.
            let pause = match stop.run_until_cancelled(index_document(&state, &extractor)).await {
                None => return Ok(()),
                Some(Ok(true)) => continue,
                Some(Ok(false)) => LOOK,
                Some(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "Documents cannot be indexed; it will be tried again"
                    );
                    PAUSE
                }
            };
            if !signal(&stop, &state.signals.documents, pause).await {
                return Ok(());
            }
        }
    })
}
