//! What a replica holds of one window, in memory: integers behind a mutex that is never held over an await.
//!
//! **Invariant**: `held = free + reserved + settled but not yet committed`, and the lease's row in the database holds no less
//! than `held` (it may hold more when the answer to a take was lost; the next take notices). As `used + leased <= limit`
//! held when the lease was taken, what is admitted from `free` can never exceed the limit.

use std::time::{Duration, Instant};

use uuid::Uuid;

/// A window as the database last showed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub limit: i64,
    /// Settled by all replicas.
    pub used: i64,
    /// Neither used nor in any replica's hands.
    pub rest: i64,
}

/// Why nothing could be taken from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// The database has to be asked.
    Dry,
    /// It was asked a moment ago, and there was not enough.
    UsedUp(View),
    /// The quota is gone or disabled: nothing is limited.
    Lifted,
}

#[derive(Debug)]
pub struct Slice {
    /// Names our lease. Another one begins when the database may have taken this one back.
    lease: Uuid,
    valid_until: Instant,
    free: i64,
    reserved: i64,
    held: i64,
    /// What those need who wait for the next take, together; each may ask for the largest integer.
    waiting: i128,
    /// Below this the next take begins before anybody has to wait for it.
    low: i64,
    view: View,
    /// Needs of this size and more were refused, and until when that holds.
    refused: Option<(i64, Instant)>,
    last_needed: Instant,
    lifted: bool,
}

impl Slice {
    /// Nothing is held yet.
    pub fn new(lease: Uuid, now: Instant) -> Self {
        Self {
            lease,
            valid_until: now,
            free: 0,
            reserved: 0,
            held: 0,
            waiting: 0,
            low: 0,
            view: View::default(),
            refused: None,
            last_needed: now,
            lifted: false,
        }
    }

    /// Takes `amount` out of what is free; gives the lease that it came from.
    pub fn reserve(&mut self, amount: i64, now: Instant) -> Result<Uuid, Short> {
        if self.lifted {
            return Err(Short::Lifted);
        }
        self.last_needed = now;
        if now < self.valid_until && self.free >= amount {
            self.free -= amount;
            self.reserved += amount;
            return Ok(self.lease);
        }
        match self.refused {
            Some((least, until)) if amount >= least && now < until => Err(Short::UsedUp(self.view)),
            _ => Err(Short::Dry),
        }
    }

    /// The call did not take place.
    pub fn give_back(&mut self, lease: Uuid, amount: i64) {
        if lease == self.lease {
            self.reserved -= amount;
            self.free += amount;
        }
    }

    /// The call used `actual` instead of `estimate`. Gives how much of the lease that takes: what goes beyond estimate and
    /// slice is booked, but nothing in the lease stands for it.
    pub fn settle(&mut self, lease: Uuid, estimate: i64, actual: i64) -> i64 {
        if lease != self.lease {
            return actual.min(estimate);
        }
        self.reserved -= estimate;
        let covered = actual.min(self.free.saturating_add(estimate));
        self.free = self.free.saturating_add(estimate) - covered;
        covered
    }

    /// The database has committed that `amount` of the lease is used.
    pub fn committed(&mut self, lease: Uuid, amount: i64) {
        if lease == self.lease {
            self.held = (self.held - amount).max(self.free + self.reserved);
        }
    }

    /// What a take has to know: our lease (another one when this one may be lost), and what it holds.
    pub fn before_take(&mut self, next_lease: Uuid, now: Instant) -> (Uuid, i64) {
        if now >= self.valid_until {
            self.lose(next_lease);
        }
        (self.lease, self.held)
    }

    /// What nobody has reserved.
    pub fn free(&self) -> i64 {
        self.free
    }

    /// The lease may be gone. Calls in flight keep their share of it and settle against whatever is left.
    pub fn lose(&mut self, next_lease: Uuid) {
        (self.lease, self.free, self.reserved, self.held) = (next_lease, 0, 0, 0);
    }

    /// A take gave `granted`, on top of what the answer to an earlier one would have told had it arrived (`found`: that may
    /// be less than nothing, when usage was committed in between).
    pub fn granted(&mut self, lease: Uuid, granted: i64, found: i64, view: View, valid_until: Instant) {
        self.view = view;
        if lease != self.lease {
            return;
        }
        let more = granted.saturating_add(found.max(0));
        self.free += more;
        self.held += more;
        self.valid_until = valid_until;
        self.refused = None;
        // A slice that was cut to the need is followed by another such one: there is nothing to hurry for.
        self.low = if i128::from(granted) > self.waiting { granted / 4 } else { 0 };
    }

    /// A take was refused: fewer than `least` are left.
    pub fn used_up(&mut self, least: i64, view: View, until: Instant) {
        self.view = view;
        self.low = 0;
        self.refused = Some((least, until));
    }

    /// A take before anybody needed it found nothing.
    pub fn nothing_in_advance(&mut self, view: View) {
        self.view = view;
        self.low = 0;
    }

    /// The quota does not exist any more, or is disabled.
    pub fn lift(&mut self) {
        self.lifted = true;
    }

    /// Forgets that it was used up: somebody changed the quota.
    pub fn ask_again(&mut self) {
        self.refused = None;
    }

    /// The lease was renewed.
    pub fn renewed(&mut self, lease: Uuid, valid_until: Instant) {
        if lease == self.lease {
            self.valid_until = self.valid_until.max(valid_until);
        }
    }

    /// Takes what is free and was not needed for `idle` (all of it when `over`), to be given back to the database.
    pub fn idle(&mut self, idle: Duration, over: bool, now: Instant) -> Option<(Uuid, i64)> {
        let unneeded = over || now.saturating_duration_since(self.last_needed) >= idle;
        if self.free == 0 || self.waiting > 0 || !unneeded {
            return None;
        }
        let amount = std::mem::take(&mut self.free);
        self.held -= amount;
        Some((self.lease, amount))
    }

    /// Whether the database should be asked before somebody has to wait for it.
    pub fn runs_low(&self) -> bool {
        self.free < self.low && self.waiting == 0
    }

    /// Whether no call and no lease depends on it.
    pub fn is_empty(&self) -> bool {
        self.held == 0 && self.reserved == 0 && self.waiting == 0
    }

    /// The lease, when it holds anything.
    pub fn lease(&self) -> Option<Uuid> {
        (self.held > 0).then_some(self.lease)
    }

    pub fn wait(&mut self, amount: i64) {
        self.waiting += i128::from(amount);
    }

    pub fn waited(&mut self, amount: i64) {
        self.waiting -= i128::from(amount);
    }

    /// What all need who wait.
    pub fn waiting(&self) -> i64 {
        i64::try_from(self.waiting).unwrap_or(i64::MAX)
    }

    /// A slice as large as the last one that was more than the need, for a take in advance.
    pub fn wanted_in_advance(&self) -> i64 {
        self.low
    }

    /// The limit, and what is left of it as far as this replica knows.
    pub fn headroom(&self) -> (i64, i64) {
        (self.view.limit, self.view.rest.saturating_add(self.free).max(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leases() -> (Uuid, Uuid) {
        (Uuid::from_u128(1), Uuid::from_u128(2))
    }

    fn holding(amount: i64, now: Instant) -> Slice {
        let mut slice = Slice::new(leases().0, now);
        slice.granted(leases().0, amount, 0, View { limit: 100, used: 0, rest: 0 }, now + Duration::from_mins(1));
        slice
    }

    #[test]
    fn what_goes_beyond_estimate_and_slice_is_not_taken_from_the_lease() {
        let now = Instant::now();
        let mut slice = holding(10, now);
        let lease = slice.reserve(6, now).unwrap();
        assert_eq!(slice.settle(lease, 6, 25), 10, "six reserved, four free");
        assert_eq!(slice.reserve(1, now), Err(Short::Dry));
        slice.committed(lease, 10);
        assert!(slice.is_empty());
    }

    #[test]
    fn a_lease_that_may_be_lost_admits_nobody() {
        let now = Instant::now();
        let mut slice = holding(10, now);
        let lease = slice.reserve(6, now).unwrap();
        let later = now + Duration::from_mins(1);
        assert_eq!(slice.reserve(1, later), Err(Short::Dry));
        assert_eq!(slice.before_take(leases().1, later), (leases().1, 0));
        assert_eq!(slice.settle(lease, 6, 8), 6, "what its own lease stood for");
        slice.committed(lease, 6);
        assert!(slice.is_empty(), "the new lease is not touched by the old call");
    }

    #[test]
    fn what_a_lost_answer_had_granted_is_found() {
        let now = Instant::now();
        let mut slice = holding(10, now);
        // The database holds 15 for us; we know of 10.
        slice.granted(leases().0, 5, 15 - 10, View::default(), now + Duration::from_mins(1));
        assert!(slice.reserve(20, now).is_ok());
    }

    #[test]
    fn a_refusal_holds_for_needs_of_its_size_and_for_a_while() {
        let now = Instant::now();
        let mut slice = holding(0, now);
        let view = View { limit: 100, used: 97, rest: 3 };
        slice.used_up(5, view, now + Duration::from_secs(1));
        assert_eq!(slice.reserve(5, now), Err(Short::UsedUp(view)));
        assert_eq!(slice.reserve(4, now), Err(Short::Dry), "a smaller one may fit");
        assert_eq!(slice.reserve(5, now + Duration::from_secs(1)), Err(Short::Dry));
        slice.ask_again();
        assert_eq!(slice.reserve(5, now), Err(Short::Dry));
    }

    #[test]
    fn two_who_need_more_than_there_can_be_leave_nothing_behind() {
        let mut slice = Slice::new(leases().0, Instant::now());
        slice.wait(i64::MAX);
        slice.wait(i64::MAX);
        assert_eq!(slice.waiting(), i64::MAX);
        slice.waited(i64::MAX);
        slice.waited(i64::MAX);
        assert!(slice.is_empty());
    }

    proptest! {
        /// Any order of reserving, settling, giving back, committing and returning keeps the books balanced.
        #[test]
        fn the_invariant_holds(steps in prop::collection::vec((0_u8..6, 0_i64..50, 0_i64..80), 1..200)) {
            let now = Instant::now();
            let lease = leases().0;
            let mut slice = Slice::new(lease, now);
            let (mut in_flight, mut uncommitted, mut granted, mut settled, mut returned) = (vec![], vec![], 0, 0, 0);
            for (step, a, b) in steps {
                match step {
                    0 => {
                        slice.granted(lease, a, 0, View::default(), now + Duration::from_mins(1));
                        granted += a;
                    }
                    1 | 2 => if slice.reserve(a, now).is_ok() { in_flight.push(a) },
                    3 => if let Some(estimate) = in_flight.pop() {
                        let covered = slice.settle(lease, estimate, b);
                        prop_assert!((0..=b).contains(&covered));
                        uncommitted.push(covered);
                    },
                    4 => if let Some(estimate) = in_flight.pop() { slice.give_back(lease, estimate) },
                    _ => {
                        if let Some(covered) = uncommitted.pop() { slice.committed(lease, covered); settled += covered }
                        if let Some((_, amount)) = slice.idle(Duration::ZERO, false, now) { returned += amount }
                    }
                }
                let reserved: i64 = in_flight.iter().sum();
                let open: i64 = uncommitted.iter().sum();
                prop_assert!(slice.free >= 0);
                prop_assert_eq!(slice.reserved, reserved);
                prop_assert_eq!(slice.held, slice.free + reserved + open);
                prop_assert_eq!(slice.held, granted - settled - returned);
            }
        }
    }
}
