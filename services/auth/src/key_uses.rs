//! When API keys were last used, held in memory until a job writes it: an exchange never waits for a write, and a busy key
//! costs one row a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use contracts::ApiKeyId;

/// The latest use of each key that was exchanged since the last write.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<ApiKeyId, DateTime<Utc>>>);

impl KeyUses {
    pub fn note(&self, key: ApiKeyId, at: DateTime<Utc>) {
        let mut uses = self.lock();
        let latest = uses.entry(key).or_insert(at);
        *latest = (*latest).max(at);
    }

    /// Everything noted so far, sorted by key; it is the caller's from here on.
    pub fn take(&self) -> Vec<(ApiKeyId, DateTime<Utc>)> {
        let mut uses: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        uses.sort_unstable();
        uses
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApiKeyId, DateTime<Utc>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_latest_use_of_a_key_is_kept_until_it_is_taken() {
        let uses = KeyUses::default();
        let key = |n| ApiKeyId::from_uuid(Uuid::from_u128(n));
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        for (id, time) in [(2, 5), (1, 7), (2, 9), (2, 6)] {
            uses.note(key(id), at(time));
        }
        assert_eq!(uses.take(), [(key(1), at(7)), (key(2), at(9))]);
        assert_eq!(uses.take(), []);
    }
}
