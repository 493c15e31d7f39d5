//! Sessions and users whose tokens are refused although they have not expired. Fed by revocation events; every entry
//! lives only as long as a token it could concern.
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, SessionId, UserId};

use super::Claims;
use crate::Clock;

/// Refused sessions, API keys and users.
pub struct DenyList {
    clock: Arc<dyn Clock>,
    entries: RwLock<Entries>,
    /// Number of entries, so that the usual answer (nothing is denied) takes no lock.
    size: AtomicUsize,
}

#[derive(Default)]
struct Entries {
    sessions: HashMap<SessionId, DateTime<Utc>>,
    api_keys: HashMap<ApiKeyId, DateTime<Utc>>,
    users: HashMap<UserId, UserEntry>,
}

#[derive(Clone, Copy)]
struct UserEntry {
    issued_before: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl DenyList {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, entries: RwLock::default(), size: AtomicUsize::new(0) }
    }

    /// Refuses a session's tokens until the last of them has expired.
    pub fn deny_session(&self, session: SessionId, until: DateTime<Utc>) {
        self.change(|entries| prolong(&mut entries.sessions, session, until));
    }

    /// Refuses tokens made from an API key until the last of them has expired.
    pub fn deny_api_key(&self, key: ApiKeyId, until: DateTime<Utc>) {
        self.change(|entries| prolong(&mut entries.api_keys, key, until));
    }

    /// Refuses a user's tokens issued at or before `issued_before` (in the same second counts as before: tokens tell
    /// no finer) until the last of them has expired.
    pub fn deny_user(&self, user: UserId, issued_before: DateTime<Utc>, until: DateTime<Utc>) {
        self.change(|entries| {
            let entry = entries.users.entry(user).or_insert(UserEntry { issued_before, until });
            entry.issued_before = entry.issued_before.max(issued_before);
            entry.until = entry.until.max(until);
        });
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.size.load(Ordering::Acquire)
    }

    /// Whether nothing is denied.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn denies(&self, claims: &Claims) -> bool {
        if self.is_empty() {
            return false;
        }
        // Entries past their time need no look: the tokens they concern are refused as expired.
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.contains_key(&claims.sid)
            || claims.api_key.is_some_and(|key| entries.api_keys.contains_key(&key))
            || entries.users.get(&claims.sub).is_some_and(|entry| claims.iat <= entry.issued_before.timestamp())
    }

    fn change(&self, change: impl FnOnce(&mut Entries)) {
        let now = self.clock.now();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.retain(|_, until| *until > now);
        entries.api_keys.retain(|_, until| *until > now);
        entries.users.retain(|_, entry| entry.until > now);
        change(&mut entries);
        let size = entries.sessions.len() + entries.api_keys.len() + entries.users.len();
        self.size.store(size, Ordering::Release);
    }
}

/// A second revocation never shortens the first.
fn prolong<K: Eq + Hash>(entries: &mut HashMap<K, DateTime<Utc>>, key: K, until: DateTime<Utc>) {
    let entry = entries.entry(key).or_insert(until);
    *entry = (*entry).max(until);
}
