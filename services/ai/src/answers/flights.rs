//! Identical calls at the same time: the first works, the others wait for its work.
//!
//! The work is a shared future that any of them drives, so it goes on when the first one leaves, and ends when the last one
//! does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use super::{Joined, Key, Produced};
use crate::protocol::ApiError;

/// What makes an answer.
pub type Work = BoxFuture<'static, Result<Arc<Produced>, ApiError>>;

/// Work that several callers wait for.
pub type Flight = Shared<Work>;

/// Work under way, by key. Cheap to clone.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    flights: HashMap<Key, (u64, WeakShared<Work>)>,
    numbered: u64,
}

impl Flights {
    /// The work under `key` when there is some, else what is `kept`, else `work`. The order matters: a flight that is no
    /// longer known has landed, and so its answer is already kept.
    pub fn join(&self, key: Key, kept: impl FnOnce() -> Option<Arc<Produced>>, work: impl FnOnce() -> Work) -> Joined {
        let mut known = self.lock();
        if let Some(flight) = known.flights.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return Joined::Flight { flight, own: false };
        }
        if let Some(kept) = kept() {
            return Joined::Kept(kept);
        }
        known.numbered += 1;
        let landing = Landing { flights: self.clone(), key, number: known.numbered };
        let work = work();
        let flight = async move {
            // Dropped when the work is done, or when nobody waits for it any more.
            let _landing = landing;
            work.await
        };
        let flight = flight.boxed().shared();
        let number = known.numbered;
        if let Some(weak) = flight.downgrade() {
            known.flights.insert(key, (number, weak));
        }
        Joined::Flight { flight, own: true }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a flight when it ends.
struct Landing {
    flights: Flights,
    key: Key,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut known = self.flights.lock();
        if known.flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            known.flights.remove(&self.key);
        }
    }
}
