//! Work beside the requests.

pub mod documents;
pub mod embed;
pub mod extract;
pub mod index;
pub mod purge;

use std::time::Duration;

use kit::CancellationToken;
use tokio::sync::Notify;

/// Waits for a signal, or for `at_most`; `false` when it is time to leave.
async fn signal(stop: &CancellationToken, of: &Notify, at_most: Duration) -> bool {
    let woken = async {
        tokio::select! {
            () = of.notified() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    };
    stop.run_until_cancelled(woken).await.is_some()
}
