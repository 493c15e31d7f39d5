//! What every use case can reach. Cheap to clone: a transaction takes its own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, OrgId, Origin, SessionId, UserId};
use db::Db;
use kit::{Clock, Ids, Verifier, seal::Keyring};

use crate::{
    config::Config,
    domain::{api_key::key_tokens_expire_at, session::tokens_expire_at},
    hashing::Hashing,
    key_uses::KeyUses,
    pepper::Pepper,
    signing::Signing,
};

#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub hashing: Hashing,
    pub signing: Arc<Signing>,
    pub keyring: Keyring,
    pub pepper: Pepper,
    pub verifier: Arc<Verifier>,
    pub key_uses: Arc<KeyUses>,
}

impl AppState {
    /// Stamps what somebody changes now, with the trace of the current span.
    pub fn origin(&self, actor: Option<UserId>, org: Option<OrgId>) -> Origin {
        Origin { actor: actor.map(UserId::uuid), org, traceparent: kit::telemetry::traceparent(), at: self.clock.now() }
    }

    /// Refuses the access tokens of ended sessions in this process at once; the others learn of it by event.
    pub fn deny(&self, sessions: &[SessionId], now: DateTime<Utc>) {
        for session in sessions {
            self.verifier.deny_list().deny_session(*session, tokens_expire_at(now));
        }
    }

    /// The same for tokens that were exchanged for API keys.
    pub fn deny_api_keys(&self, keys: &[ApiKeyId], now: DateTime<Utc>) {
        for key in keys {
            self.verifier.deny_list().deny_api_key(*key, key_tokens_expire_at(now));
        }
    }
}
