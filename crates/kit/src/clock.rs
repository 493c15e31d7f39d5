//! Time is asked for, never taken from the air: what depends on "now" gets a [`Clock`], so that a test can say what
//! time it is. `clippy.toml` bans the ambient ways everywhere else.

use std::sync::Mutex;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Tells the time in UTC.
pub trait Clock: Send + Sync + 'static {
    /// Now, with microseconds: what Postgres can store, so that a stored time reads back equal.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        to_micros(Utc::now())
    }
}

/// A clock that stands still until it is told to move; for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self(Mutex::new(to_micros(start)))
    }

    /// Puts the clock to `now`; going back is allowed, real clocks do it too.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.lock() = to_micros(now);
    }

    /// Moves the clock by `by`, which may be negative. Past the end of the calendar it stays where it is.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.lock();
        *now = now.checked_add_signed(by).unwrap_or(*now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DateTime<Utc>> {
        // A poisoned clock still shows a valid time.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.lock()
    }
}

fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for times 290,000 years away; those keep their nanoseconds.
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_gives_what_postgres_can_store() {
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        let clock = ManualClock::new(start);
        assert_eq!(clock.now().timestamp_subsec_nanos(), 123_456_000);
        clock.advance(TimeDelta::seconds(90));
        assert_eq!(clock.now().timestamp(), 1_700_000_090);
        clock.advance(TimeDelta::seconds(-100));
        assert_eq!(clock.now().timestamp(), 1_699_999_990);
        clock.set(start);
        assert_eq!(clock.now().timestamp(), 1_700_000_000);
    }
}
