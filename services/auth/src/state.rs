//! What every use case can reach. Cheap to clone: a transaction takes its own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{OrgId, Origin, SessionId, UserId};
use db::Db;
use kit::{Clock, Ids, Verifier, seal::Keyring};

use crate::{config::Config, domain::session::tokens_expire_at, hashing::Hashing, pepper::Pepper, signing::Signing};

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
}
