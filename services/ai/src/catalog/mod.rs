//! The models that a caller may use, held in memory: read from the database, refreshed by `model_changed` within seconds
//! and by age, and served from the last good copy while the database is away.
//!
//! There are two shelves for each caller: that of their organization and that of the installation. The second is made of
//! the environment ([`Installation`]) and, on top of it, of what operators made over the API. An organization's own model
//! hides one of the installation with the same alias.

mod discovery;
mod installation;
mod shelf;
mod slot;
mod well_known;

use std::{collections::HashSet, sync::Arc, time::Duration};

use contracts::{ModelId, OrgId};
use db::{Db, diesel::PgConnection};
use kit::{CancellationToken, Task, seal::Keyring};
use moka::sync::Cache;

pub use installation::{Installation, LOCAL, provider_id};
pub use shelf::open;
pub use slot::Slot;

use self::{discovery::Discovery, shelf::Shelf};
use crate::{
    clients::Providers,
    domain::{
        caller::Caller,
        model::{Model, ModelRecord},
    },
    store::{models, providers},
    teams::TeamBook,
};

/// Organizations whose models are held; those that did not call for longest go first.
const ORGANIZATIONS: u64 = 10_000;
/// Between two looks at what the servers of the environment have.
const LOOK: Duration = Duration::from_mins(5);

/// Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    db: Db,
    keyring: Keyring,
    installation: Arc<Installation>,
    discovery: Discovery,
    /// How long a shelf is believed without asking the database again.
    fresh: Duration,
    global: Arc<Slot<Shelf>>,
    own: Cache<OrgId, Arc<Slot<Shelf>>>,
    teams: TeamBook,
}

/// Why a caller gets no model.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No such alias in the caller's organization or the installation, or it is disabled.
    #[error("there is no such model")]
    NotFound,
    /// It exists, but not for this caller.
    #[error("the caller may not use this model")]
    NotAllowed,
    #[error("the models could not be read")]
    Unavailable(#[from] db::Error),
}

impl Catalog {
    pub fn new(
        db: Db,
        keyring: Keyring,
        installation: Arc<Installation>,
        clients: Providers,
        teams: TeamBook,
        fresh: Duration,
    ) -> Self {
        let discovery = Discovery::new(Arc::clone(&installation), clients);
        // A shelf that nobody asks for is of no use after the time for which it could be served.
        let own = Cache::builder().max_capacity(ORGANIZATIONS).time_to_idle(slot::LAST_GOOD).build();
        Self(Arc::new(Inner { db, keyring, installation, discovery, fresh, global: Arc::default(), own, teams }))
    }

    /// The model behind an alias: the organization's own before the installation's.
    pub async fn find(&self, caller: &Caller, alias: &str) -> Result<Arc<Model>, Denied> {
        let own = self.own(caller.org).await?;
        let found = match own.get(alias) {
            Some(model) => Arc::clone(model),
            None => self.find_global(alias).await?,
        };
        if self.permits(caller, &found).await? { Ok(found) } else { Err(Denied::NotAllowed) }
    }

    /// Every model that the caller may use, by alias.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<Arc<Model>>, Denied> {
        let (own, global) = (self.own(caller.org).await?, self.global().await?);
        let mut seen: Vec<&Arc<Model>> =
            own.iter().chain(global.iter().filter(|model| own.get(&model.alias).is_none())).collect();
        seen.sort_by(|a, b| a.alias.cmp(&b.alias));
        let mut permitted = Vec::with_capacity(seen.len());
        for model in seen {
            if self.permits(caller, model).await? {
                permitted.push(Arc::clone(model));
            }
        }
        Ok(permitted)
    }

    /// Something of the owner (`None`: the installation) is different now: whoever asks next waits for the new state.
    pub fn changed(&self, owner: Option<OrgId>) {
        match owner {
            None => self.0.global.changed(),
            Some(org) => {
                if let Some(slot) = self.0.own.get(&org) {
                    slot.changed();
                }
            }
        }
    }

    /// Anything may be different now.
    pub fn all_changed(&self) {
        self.0.global.changed();
        for (_, slot) in &self.0.own {
            slot.changed();
        }
    }

    /// The installation's models as they are now, by alias: those of the environment, and what operators made of them.
    pub fn global_records(&self, conn: &mut PgConnection) -> Result<Vec<ModelRecord>, db::Error> {
        Ok(self.0.lay_over(models::list(conn, None)?))
    }

    /// A model of the environment as it is without what operators made of it.
    pub fn built_in(&self, id: ModelId) -> Option<ModelRecord> {
        self.0.built_in().into_iter().find(|model| model.id == id)
    }

    pub fn installation(&self) -> &Installation {
        &self.0.installation
    }

    /// Asks the servers of the environment which models they have, from time to time.
    pub fn task(&self) -> Task {
        let catalog = self.clone();
        Task::new("ai.discovery", async move |stop: CancellationToken| {
            while catalog.0.discovery.has_servers() {
                if stop.run_until_cancelled(catalog.discover()).await.is_none()
                    || stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none()
                {
                    return Ok(());
                }
            }
            stop.cancelled().await;
            Ok(())
        })
    }

    async fn discover(&self) {
        self.0.discovery.ask(|| self.changed(None)).await;
    }

    async fn find_global(&self, alias: &str) -> Result<Arc<Model>, Denied> {
        if let Some(model) = self.global().await?.get(alias) {
            return Ok(Arc::clone(model));
        }
        // A server may have got a new model since it was last asked, or may not have been asked yet.
        if self.0.discovery.has_servers() {
            self.discover().await;
            if let Some(model) = self.global().await?.get(alias) {
                return Ok(Arc::clone(model));
            }
        }
        Err(Denied::NotFound)
    }

    async fn permits(&self, caller: &Caller, model: &Model) -> Result<bool, db::Error> {
        let teams = if model.access.asks_for_teams() { self.0.teams.of(caller).await? } else { Arc::default() };
        Ok(model.access.permits(caller, &teams))
    }

    async fn own(&self, org: OrgId) -> Result<Arc<Shelf>, db::Error> {
        let slot = match self.0.own.get(&org) {
            Some(slot) => slot,
            None => self.0.own.get_with(org, Arc::default),
        };
        let inner = Arc::clone(&self.0);
        slot.get(self.0.fresh, move || async move { inner.read_own(org).await }).await
    }

    async fn global(&self) -> Result<Arc<Shelf>, db::Error> {
        let inner = Arc::clone(&self.0);
        self.0.global.get(self.0.fresh, move || async move { inner.read_global().await }).await
    }
}

impl Inner {
    async fn read_own(&self, org: OrgId) -> Result<Shelf, db::Error> {
        let read =
            move |conn: &mut PgConnection| Ok((models::list(conn, Some(org))?, providers::list(conn, Some(org))?));
        let (models, providers) = self.db.tenant(org).tx::<_, db::Error, _>(read).await?;
        Ok(Shelf::new(models, providers, &self.installation, &self.keyring))
    }

    async fn read_global(&self) -> Result<Shelf, db::Error> {
        let read = |conn: &mut PgConnection| Ok((models::list(conn, None)?, providers::list(conn, None)?));
        let (stored, providers) = self.db.system("catalog").tx::<_, db::Error, _>(read).await?;
        let preferred: Vec<String> = self.built_in().into_iter().map(|model| model.definition.alias).collect();
        let mut models = Shelf::new(self.lay_over(stored), providers, &self.installation, &self.keyring);
        models.add_defaults(&preferred);
        Ok(models)
    }

    fn built_in(&self) -> Vec<ModelRecord> {
        self.installation.models(|provider| self.discovery.list(provider))
    }

    /// What is stored hides what the environment has of the same id or alias.
    fn lay_over(&self, stored: Vec<ModelRecord>) -> Vec<ModelRecord> {
        let built_in = self.built_in();
        let ids: HashSet<ModelId> = stored.iter().map(|model| model.id).collect();
        let aliases: HashSet<&str> = stored.iter().map(|model| model.definition.alias.as_str()).collect();
        let taken = |model: &ModelRecord| ids.contains(&model.id) || aliases.contains(model.definition.alias.as_str());
        let mut models: Vec<ModelRecord> = built_in.into_iter().filter(|model| !taken(model)).collect();
        models.extend(stored);
        models.sort_by(|a, b| a.definition.alias.cmp(&b.definition.alias));
        models
    }
}
