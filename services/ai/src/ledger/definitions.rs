//! The quotas of organizations, held in memory. They are read again when they are old, or when somebody changed them in this
//! process. A lower limit needs no news: every take goes by the limit in the database.

use std::{sync::Arc, time::Duration};

use contracts::{OrgId, TeamId};
use db::Db;
use moka::sync::Cache;

use crate::{
    catalog::Slot,
    domain::{
        caller::Caller,
        quota::{Quota, Subject},
    },
    store::quotas,
    teams::TeamBook,
};

/// Past this many the least used organizations are forgotten, and read again when needed.
const MOST_ORGANIZATIONS: u64 = 20_000;
/// A database that hangs longer is taken for one that is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// The quotas in force, by id.
type Quotas = Vec<Arc<Quota>>;

pub struct Definitions {
    db: Db,
    fresh: Duration,
    organizations: Cache<OrgId, Arc<Slot<Quotas>>>,
    teams: TeamBook,
}

/// The quotas of a caller's organization, and the caller's teams if any of those is about teams.
pub struct Concerning {
    pub quotas: Arc<Quotas>,
    pub teams: Arc<Vec<TeamId>>,
}

impl Definitions {
    pub fn new(db: Db, teams: TeamBook, fresh: Duration) -> Self {
        let idle = Duration::from_hours(1);
        let organizations = Cache::builder().max_capacity(MOST_ORGANIZATIONS).time_to_idle(idle).build();
        Self { db, fresh, organizations, teams }
    }

    /// # Errors
    /// When nothing was ever read, or long ago, and the database does not answer.
    pub async fn of(&self, caller: &Caller) -> Result<Concerning, db::Error> {
        let (org, db) = (caller.org, self.db.clone());
        let read = move || async move {
            let tenant = db.tenant(org);
            let found = super::in_time(PATIENCE, tenant.tx(move |conn| Ok(quotas::in_force(conn, org)?))).await?;
            Ok(found.into_iter().map(Arc::new).collect())
        };
        let quotas = self.organizations.get_with(org, Arc::default).get(self.fresh, read).await?;
        let about_teams = quotas.iter().any(|quota| matches!(quota.subject, Subject::Team(_)));
        let teams = if about_teams { self.teams.of(caller).await? } else { Arc::default() };
        Ok(Concerning { quotas, teams })
    }

    /// Somebody changed a quota: of one organization, or of all.
    pub fn changed(&self, org: Option<OrgId>) {
        match org {
            Some(org) => self.organizations.get(&org).into_iter().for_each(|slot| slot.changed()),
            None => self.organizations.iter().for_each(|(_, slot)| slot.changed()),
        }
    }
}
