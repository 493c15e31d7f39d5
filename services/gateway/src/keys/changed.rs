//! Keys whose tokens say something else than auth would say now.
//!
//! Revoked keys are in kit's deny list; here are those that were only changed. An entry lives a little longer than any
//! answer of auth is kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::ApiKeyId;
use contracts::auth::v1::ApiKeyUpdated;
use events::{Broker, Delivery, Failure, broadcast};
use kit::{Clock, Task};

const REMEMBERED: TimeDelta = TimeDelta::minutes(2);

/// Which keys were changed, in the order in which this process heard of it. A number rather than a time says what came
/// first: clocks are set, and have no room between two things at once.
pub struct Changed {
    clock: Arc<dyn Clock>,
    /// How many changes were heard of.
    heard: AtomicU64,
    keys: RwLock<HashMap<ApiKeyId, Change>>,
    /// Number of entries, so that the usual answer (nothing has changed) takes no lock.
    size: AtomicUsize,
    /// Any key may have been changed before this one was heard of.
    unheard_before: AtomicU64,
}

#[derive(Clone, Copy)]
struct Change {
    number: u64,
    at: DateTime<Utc>,
}

impl Changed {
    /// Nothing was.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (size, heard, unheard_before) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { clock, heard, keys: RwLock::default(), size, unheard_before }
    }

    /// The number of changes heard of until now; to be taken before auth is asked.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Acquire)
    }

    /// This key was.
    pub fn note(&self, key: ApiKeyId) {
        let at = self.clock.now();
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, change| at - change.at < REMEMBERED);
        let number = self.heard.fetch_add(1, Ordering::AcqRel) + 1;
        keys.insert(key, Change { number, at });
        self.size.store(keys.len(), Ordering::Release);
    }

    /// Any may have been: nobody was listening until now.
    pub fn note_all(&self) {
        let number = self.heard.fetch_add(1, Ordering::AcqRel) + 1;
        self.unheard_before.store(number, Ordering::Release);
    }

    /// Whether a key was changed since [`heard`](Self::heard) said `heard`.
    pub fn since(&self, key: ApiKeyId, heard: u64) -> bool {
        if heard < self.unheard_before.load(Ordering::Acquire) {
            return true;
        }
        if self.size.load(Ordering::Acquire) == 0 {
            return false;
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&key).is_some_and(|change| heard < change.number)
    }

    /// Listens to auth for ever, on every instance of the gateway.
    pub fn listen(self: &Arc<Self>, broker: &Broker) -> Task {
        let (attached, updated) = (Arc::clone(self), Arc::clone(self));
        broadcast(broker, "api_keys")
            .on_attached(move || {
                attached.note_all();
                async {}
            })
            .on(move |delivery: Delivery<ApiKeyUpdated>| {
                let noted = delivery.event.api_key_id.parse().map(|key| updated.note(key)).map_err(Failure::fail);
                async { noted }
            })
            .task()
    }
}

#[cfg(test)]
mod tests {
    use kit::ManualClock;
    use uuid::Uuid;

    use super::*;

    fn key(n: u128) -> ApiKeyId {
        ApiKeyId::from_uuid(Uuid::from_u128(n))
    }

    fn changed() -> (Arc<ManualClock>, Changed) {
        let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_000, 0).unwrap()));
        (clock.clone(), Changed::new(clock))
    }

    #[test]
    fn what_was_asked_before_a_change_is_out_of_date_and_what_was_asked_after_it_is_not() {
        let (_, changed) = changed();
        let before = changed.heard();
        assert!(!changed.since(key(1), before));
        changed.note(key(1));
        assert!(changed.since(key(1), before));
        assert!(!changed.since(key(1), changed.heard()), "though no time has passed");
        assert!(!changed.since(key(2), before), "other keys are not concerned");
    }

    #[test]
    fn whoever_did_not_listen_trusts_nothing_of_before() {
        let (_, changed) = changed();
        let before = changed.heard();
        changed.note_all();
        assert!(changed.since(key(1), before));
        assert!(!changed.since(key(1), changed.heard()));
    }

    #[test]
    fn entries_go_when_nothing_can_be_older() {
        let (clock, changed) = changed();
        (0..1_000).for_each(|n| changed.note(key(n)));
        clock.advance(TimeDelta::minutes(3));
        changed.note(key(7));
        assert_eq!(changed.size.load(Ordering::Acquire), 1);
    }
}
