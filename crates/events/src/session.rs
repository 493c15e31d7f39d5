//! The one way everything here survives faults: work in sessions, and after a failed one wait and start another.

use std::time::Duration;

use kit::CancellationToken;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::broker::chain;
use crate::{Error, metrics};

/// A session that lived this long was a good one; the next failure is met with the shortest wait again.
const GOOD: Duration = Duration::from_secs(10);

/// Runs `session` again and again until `stop`. A session ends with `Ok` only because of `stop`.
pub(crate) async fn forever<S: Future<Output = Result<(), Error>>>(
    task: &str,
    service: &str,
    stop: &CancellationToken,
    session: impl Fn() -> S,
) {
    let mut backoff = Backoff::reconnect();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let Err(error) = session().await else { continue };
        if stop.is_cancelled() {
            return;
        }
        metrics::SESSIONS_LOST.with_label_values(&[service, task]).inc();
        tracing::warn!(task.name = task, error = chain(&error), "Lost a session, starting another");
        if started.elapsed() >= GOOD {
            backoff.reset();
        }
        backoff.wait(stop).await;
    }
}
