//! The quotas and teams of callers, held in memory. They are read again when they are old, or when somebody changed them in
//! this process; until then, and while the database is away, what was read last is believed. A lower limit needs no
//! news: every take goes by the limit in the database.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use contracts::{OrgId, TeamId, UserId};
use db::Db;
use moka::sync::Cache;

use crate::{
    domain::{
        caller::Caller,
        quota::{Quota, Subject},
    },
    store::{quotas, team_members},
};

/// Past this many the least used are forgotten (and read again when needed).
const MOST_ORGANIZATIONS: u64 = 20_000;
const MOST_PEOPLE: u64 = 100_000;
/// After a failure nobody reads again for so long.
const PAUSE: Duration = Duration::from_millis(500);
/// A database that hangs longer is taken for one that is away.
const PATIENCE: Duration = Duration::from_secs(3);

type Quotas = Arc<[Arc<Quota>]>;
type Teams = Arc<[TeamId]>;

pub struct Definitions {
    db: Db,
    quotas: Known<OrgId, Quotas>,
    teams: Known<(OrgId, UserId), Teams>,
}

/// The quotas of a caller's organization, and the caller's teams if any of those is about teams.
pub struct Concerning {
    pub quotas: Quotas,
    pub teams: Teams,
}

impl Definitions {
    pub fn new(db: Db, life: Duration) -> Self {
        Self { db, quotas: Known::new(MOST_ORGANIZATIONS, life), teams: Known::new(MOST_PEOPLE, life) }
    }

    /// # Errors
    /// When nothing was ever read and the database does not answer.
    pub async fn of(&self, caller: &Caller) -> Result<Concerning, db::Error> {
        let (org, user) = (caller.org, caller.user);
        let db = self.db.clone();
        let read = async move {
            let found = db.tenant(org).tx(move |conn| Ok(quotas::in_force(conn, org)?)).await;
            found.map(|quotas| quotas.into_iter().map(Arc::new).collect::<Quotas>())
        };
        let quotas = self.quotas.get(org, read).await?;
        let about_teams = quotas.iter().any(|quota| matches!(quota.subject, Subject::Team(_)));
        if !about_teams {
            return Ok(Concerning { quotas, teams: Arc::new([]) });
        }
        let db = self.db.clone();
        let read = async move {
            let found = db.tenant(org).tx(move |conn| Ok(team_members::teams_of(conn, org, user)?)).await;
            found.map(Teams::from)
        };
        Ok(Concerning { quotas, teams: self.teams.get((org, user), read).await? })
    }

    /// Somebody changed a quota: of one organization, or of all.
    pub fn changed(&self, org: Option<OrgId>) {
        self.quotas.forget(org.as_ref());
    }

    /// Somebody joined or left a team.
    pub fn team_changed(&self, org: OrgId, user: UserId) {
        self.teams.forget(Some(&(org, user)));
    }

    /// A team is gone.
    pub fn teams_changed(&self) {
        self.teams.forget(None);
    }
}

/// Values by key, each with its age.
struct Known<K, V> {
    entries: Cache<K, Arc<Entry<V>>>,
    life: Duration,
}

struct Entry<V> {
    /// One reader at a time.
    reading: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State<V>>,
}

struct State<V> {
    read: Option<(V, Instant)>,
    failed_at: Option<Instant>,
}

impl<K, V> Known<K, V>
where
    K: std::hash::Hash + Eq + Copy + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(most: u64, life: Duration) -> Self {
        Self { entries: Cache::builder().max_capacity(most).time_to_idle(Duration::from_hours(1)).build(), life }
    }

    /// The value: at once while it is young; at once and read again beside while it is not quite; read again first when it
    /// is old. What was read last is given when reading fails.
    async fn get<F>(&self, key: K, read: F) -> Result<V, db::Error>
    where
        F: Future<Output = Result<V, db::Error>> + Send + 'static,
    {
        let entry = self.entries.get_with(key, || Arc::new(Entry::new()));
        match entry.known() {
            Some((value, age)) if age < self.life => return Ok(value),
            Some((value, age)) if age < self.life * 2 => {
                if let Ok(turn) = Arc::clone(&entry.reading).try_lock_owned() {
                    kit::tasks::spawn("ai.ledger.definitions", async move {
                        entry.renew(read).await.ok();
                        drop(turn);
                    });
                }
                return Ok(value);
            }
            _ => {}
        }
        let _turn = entry.reading.lock().await;
        let known = entry.known();
        let outcome = match &known {
            Some((value, age)) if *age < self.life => return Ok(value.clone()),
            // Whoever queued behind a reader that failed does not wait for another failure.
            _ if entry.failed_within(PAUSE) => Err(db::Error::Unavailable("it did not answer a moment ago".into())),
            _ => entry.renew(read).await,
        };
        match (outcome, known) {
            (Ok(value), _) | (Err(_), Some((value, _))) => Ok(value),
            (Err(error), None) => Err(error),
        }
    }

    fn forget(&self, key: Option<&K>) {
        match key {
            Some(key) => self.entries.invalidate(key),
            None => self.entries.invalidate_all(),
        }
    }
}

impl<V: Clone> Entry<V> {
    fn new() -> Self {
        Self { reading: Arc::default(), state: Mutex::new(State { read: None, failed_at: None }) }
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Option<(V, Duration)> {
        self.state().read.as_ref().map(|(value, at)| (value.clone(), at.elapsed()))
    }

    fn failed_within(&self, time: Duration) -> bool {
        self.state().failed_at.is_some_and(|at| at.elapsed() < time)
    }

    async fn renew(&self, read: impl Future<Output = Result<V, db::Error>>) -> Result<V, db::Error> {
        let begun = Instant::now();
        let outcome = super::in_time(PATIENCE, read).await;
        let mut state = self.state();
        match &outcome {
            Ok(value) => *state = State { read: Some((value.clone(), begun)), failed_at: None },
            Err(_) => state.failed_at = Some(Instant::now()),
        }
        outcome
    }
}
