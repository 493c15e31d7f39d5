//! Waiting longer after each failure, up to a cap, never in step with other instances.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Doubles from `first` to `cap`; each wait is shortened by up to half at random, so that instances that lost the broker
/// together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, next: first }
    }

    /// The schedule for coming back to the broker: 100 ms up to 5 s.
    pub(crate) fn reconnect() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// Starts again from the shortest wait, after something worked.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long to wait now.
    pub(crate) fn delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (self.next * 2).min(self.cap);
        // A fresh `RandomState` is seeded by the operating system: enough randomness for a jitter.
        let percent = u32::try_from(RandomState::new().hash_one(full) % 51).unwrap_or(0);
        full.saturating_sub(full * percent / 100)
    }

    /// Waits; false when `stop` came first.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        stop.run_until_cancelled(tokio::time::sleep(self.delay())).await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for full in [100, 200, 350, 350].map(ms) {
            let delay = backoff.delay();
            assert!(delay <= full && delay >= full / 2, "{delay:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.delay() <= ms(100));
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert!(!Backoff::new(Duration::from_hours(1), Duration::from_hours(1)).wait(&stop).await);
    }
}
