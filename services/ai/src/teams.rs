//! Who belongs to which team, held in memory.

use std::{sync::Arc, time::Duration};

use contracts::{OrgId, TeamId, UserId};
use db::Db;
use moka::sync::Cache;

use crate::{catalog::Slot, domain::caller::Caller, store::team_members};

/// Past this many the least used people are forgotten, and read again when needed.
const MOST_PEOPLE: u64 = 100_000;
/// How long a person's teams are believed; announced changes count at once.
const FRESH: Duration = Duration::from_secs(30);
/// A database that hangs longer is taken for one that is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// A person's teams by id.
type Teams = Slot<Vec<TeamId>>;

/// The teams of people. Cheap to clone.
#[derive(Clone)]
pub struct TeamBook {
    db: Db,
    people: Cache<(OrgId, UserId), Arc<Teams>>,
}

impl TeamBook {
    pub fn new(db: &Db) -> Self {
        let people = Cache::builder().max_capacity(MOST_PEOPLE).time_to_idle(Duration::from_hours(1)).build();
        Self { db: db.clone(), people }
    }

    /// The caller's teams, by id.
    ///
    /// # Errors
    /// When they were never read, or long ago, and the database does not answer.
    pub async fn of(&self, caller: &Caller) -> Result<Arc<Vec<TeamId>>, db::Error> {
        let (org, user, db) = (caller.org, caller.user, self.db.clone());
        let read = move || async move {
            let tenant = db.tenant(org);
            crate::ledger::in_time(PATIENCE, tenant.tx(move |conn| Ok(team_members::teams_of(conn, org, user)?))).await
        };
        self.people.get_with((org, user), Arc::default).get(FRESH, read).await
    }

    /// Somebody joined or left a team.
    pub fn changed(&self, org: OrgId, user: UserId) {
        if let Some(teams) = self.people.get(&(org, user)) {
            teams.changed();
        }
    }

    /// A team is gone.
    pub fn all_changed(&self) {
        self.people.iter().for_each(|(_, teams)| teams.changed());
    }
}
