//! One limit for many subjects: the generic cell rate algorithm (ITU-T I.371, annex A), by `governor`.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{Reading, Subject};

const WINDOW: Duration = Duration::from_mins(1);

/// After this many subjects that were not there before, or as good as not there, it is time for a sweep: at 64 bytes
/// each, 8 MiB.
const CROWD: usize = 131_072;

/// So many calls a minute, and as many at once, for each subject.
pub struct Bucket<C: Clock = MonotonicClock> {
    name: &'static str,
    quota: NonZeroU32,
    limiter: RateLimiter<Subject, DashMapStateStore<Subject>, C, StateInformationMiddleware>,
    clock: C,
    /// Subjects since the last sweep whose quota was untouched.
    untouched: AtomicUsize,
}

/// What came of a call.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// What is left.
    pub reading: Reading,
    /// How long to wait, when there was not enough left.
    pub wait: Option<Duration>,
    /// Whether it is time for a sweep.
    pub crowded: bool,
}

impl Bucket {
    /// None for 0 calls a minute, which means any number.
    pub fn new(name: &'static str, per_minute: u32) -> Option<Self> {
        Self::with_clock(name, per_minute, MonotonicClock)
    }
}

impl<C: Clock + Clone> Bucket<C> {
    /// The same by another clock.
    pub fn with_clock(name: &'static str, per_minute: u32, clock: C) -> Option<Self> {
        let quota = NonZeroU32::new(per_minute)?;
        let rate = Quota::with_period(WINDOW / per_minute)?.allow_burst(quota);
        let limiter = RateLimiter::dashmap_with_clock(rate, clock.clone()).with_middleware();
        Some(Self { name, quota, limiter, clock, untouched: AtomicUsize::new(0) })
    }

    /// What the limit is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Takes `cost` of what `subject` has left, or nothing of it when that is less.
    pub fn take(&self, subject: Subject, cost: NonZeroU32) -> Taken {
        let cost = cost.min(self.quota);
        let (remaining, wait) = match self.limiter.check_key_n(&subject, cost) {
            Ok(Ok(state)) => (state.remaining_burst_capacity(), None),
            Ok(Err(not_yet)) => (0, Some(not_yet.wait_time_from(self.clock.now()))),
            // More than there ever is; the line above sees to it that this cannot be.
            Err(_) => (0, Some(WINDOW)),
        };
        let crowded = remaining + cost.get() >= self.quota.get() && self.is_crowded();
        Taken { reading: Reading { limit: self.name, quota: self.quota.get(), remaining }, wait, crowded }
    }

    fn is_crowded(&self) -> bool {
        let crowded = self.untouched.fetch_add(1, Ordering::Relaxed) >= CROWD;
        if crowded {
            self.untouched.store(0, Ordering::Relaxed);
        }
        crowded
    }

    /// Forgets subjects whose quota is whole again. So what stays is bounded by the calls that there were in the time that
    /// a quota needs to recover from one.
    pub fn sweep(&self) {
        let before = self.limiter.len();
        self.limiter.retain_recent();
        if self.limiter.len() < before / 2 {
            self.limiter.shrink_to_fit();
        }
    }

    /// Subjects that are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.limiter.len()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;
    use crate::limits::ONE;

    fn bucket(per_minute: u32) -> (FakeRelativeClock, Bucket<FakeRelativeClock>) {
        let clock = FakeRelativeClock::default();
        let bucket = Bucket::with_clock("test", per_minute, clock.clone()).unwrap();
        (clock, bucket)
    }

    fn v6(network: u64) -> Subject {
        Subject::V6(network)
    }

    #[test]
    fn a_quota_can_be_used_at_once_and_comes_back_bit_by_bit() {
        let (clock, bucket) = bucket(60);
        let left: Vec<_> = (0..60).map(|_| bucket.take(v6(1), ONE).reading.remaining).collect();
        assert_eq!(left, (0..60).rev().collect::<Vec<_>>());
        let refused = bucket.take(v6(1), ONE);
        assert_eq!((refused.reading.remaining, refused.wait), (0, Some(Duration::from_secs(1))));
        assert_eq!(bucket.take(v6(2), ONE).wait, None, "another subject is not concerned");
        clock.advance(Duration::from_millis(900));
        assert_eq!(bucket.take(v6(1), ONE).wait, Some(Duration::from_millis(100)));
        clock.advance(Duration::from_millis(100));
        assert_eq!(bucket.take(v6(1), ONE).wait, None);
        clock.advance(Duration::from_mins(10));
        assert_eq!(bucket.take(v6(1), ONE).reading.remaining, 59, "and never more than all of it");
    }

    #[test]
    fn a_cost_is_taken_whole_or_not_at_all() {
        let (_, bucket) = bucket(10);
        let four = NonZeroU32::new(4).unwrap();
        assert_eq!((bucket.take(v6(1), four).wait, bucket.take(v6(1), four).wait), (None, None));
        assert!(bucket.take(v6(1), four).wait.is_some());
        assert_eq!(bucket.take(v6(1), ONE).reading.remaining, 1, "what was refused was not taken");
        assert!(bucket.take(v6(2), NonZeroU32::new(1_000).unwrap()).wait.is_none(), "a cost is never out of reach");
    }

    #[test]
    fn many_subjects_are_forgotten_when_they_are_whole_again() {
        let (clock, bucket) = bucket(600);
        let mut crowded = 0;
        for network in 0..1_000_000 {
            crowded += usize::from(bucket.take(v6(network), ONE).crowded);
            if network % 1_000 == 0 {
                clock.advance(Duration::from_millis(1));
            }
            if network % 100_000 == 0 {
                bucket.sweep();
                // One call is made good in 100 ms, and `governor` waits for as long again.
                assert!(bucket.len() <= 201_000, "{}", bucket.len());
            }
        }
        assert_eq!(crowded, 1_000_000 / (CROWD + 1), "sweeps are asked for in between");
        clock.advance(Duration::from_millis(201));
        bucket.sweep();
        assert_eq!(bucket.len(), 0);
    }

    #[test]
    fn a_sweep_forgets_nobody_who_has_used_something() {
        let (clock, bucket) = bucket(60);
        for _ in 0..30 {
            bucket.take(v6(1), ONE);
        }
        clock.advance(Duration::from_secs(10));
        bucket.sweep();
        assert_eq!(bucket.take(v6(1), ONE).reading.remaining, 39);
    }
}
