//! What every use case can reach.

use std::{sync::Arc, time::Duration};

use contracts::OrgId;
use db::Db;
use kit::{CancellationToken, Clock, Core, Ids, Outbound, seal::Keyring};
use tokio::sync::Semaphore;

use crate::{
    answers::Answers,
    catalog::Catalog,
    clients::{Providers, memory::Memory},
    config::CallSettings,
    domain::tokens::Tokenizer,
    ledger::Ledger,
    routing::{Dice, Router},
    teams::TeamBook,
};

#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Seals the keys of providers.
    pub keyring: Keyring,
    /// The organization whose admins change what belongs to the whole installation.
    pub operator: Option<OrgId>,
    pub providers: Providers,
    /// Knows which URLs organizations may give.
    pub http: Outbound,
    pub catalog: Catalog,
    pub ledger: Ledger,
    pub teams: TeamBook,
    pub calls: Calls,
    /// `None` where nobody remembers.
    pub memory: Option<Memory>,
}

/// What calls of models share. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    pub router: Router,
    pub answers: Answers,
    pub tokenizer: Tokenizer,
    /// Calls that may be worked on at once.
    pub places: Arc<Semaphore>,
    /// As in [`CallSettings`].
    pub usual_answer: u32,
    /// As in [`CallSettings`].
    pub heartbeat: Duration,
    /// Cancelled when the service begins to leave.
    pub shutdown: CancellationToken,
    /// As in [`CallSettings`].
    pub grace: Duration,
    /// As in [`CallSettings`].
    pub recall_tokens: u64,
}

impl Calls {
    pub fn new(settings: &CallSettings, core: &Core) -> Self {
        Self {
            router: Router::new(settings.policy, Dice::seeded(&*core.ids)),
            answers: Answers::new(settings.cache_bytes, settings.cache_ttl),
            tokenizer: Tokenizer::new(settings.exact_tokens),
            places: Arc::new(Semaphore::new(settings.places)),
            usual_answer: settings.usual_answer,
            heartbeat: settings.heartbeat,
            shutdown: core.shutdown.clone(),
            grace: settings.grace,
            recall_tokens: settings.recall_tokens,
        }
    }
}
