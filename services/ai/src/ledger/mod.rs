//! The one admission point of every model route: reserve (estimate) → call → settle (actual), in integers.
//!
//! - **Admission** takes the estimate out of every quota that concerns the call, or out of none. A replica holds *slices* of
//!   the windows it works with: parts of what is left, taken from Postgres under a row lock (`used + leased <= limit`), and
//!   admits calls from them with integers in memory. A slice is at most a 16th of what is left, so slices shrink to
//!   exactly the need as a window fills; what a replica does not need goes back, and expires when the replica dies.
//! - **Settling** replaces the estimate by what was used. The record, the windows, the leases and the events commit in one
//!   transaction, a batch at a time, and a call counts exactly once however often that is tried. What a call used beyond
//!   its estimate is booked, never lost: a limit is over-spent by no more than that.
//! - **While the database is away** calls are admitted from slices in hand, and where no quota is known to concern the
//!   caller; usage waits in the spool.
//!
//! A call counts in the windows in which it was admitted, also when it ends after them. Windows are calendar minutes, days and
//! months of UTC by this process's clock.

mod commit;
mod definitions;
mod entry;
mod metrics;
mod reservation;
mod settings;
mod slice;
mod spool;
mod take;
mod windows;
mod writer;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use contracts::{CompletionId, OrgId, QuotaId};
use db::Db;
use kit::{CancellationToken, Clock, Ids, Task};

pub use reservation::{Outcome, Reservation, Spent};
pub use settings::{Durability, Settings};

use self::{definitions::Definitions, windows::Windows, writer::Writer};
use crate::{
    domain::{
        caller::Caller,
        chat::Dialect,
        model::Model,
        money::NanoUsd,
        quota::{Metric, Quota},
        window::Period,
    },
    store::leases,
    teams::TeamBook,
};

/// How often slices that are not needed are looked for.
const TIDY: Duration = Duration::from_secs(1);
/// How often leases of replicas that died, and windows nobody asks for any more, are looked for.
const SWEEP: Duration = Duration::from_mins(1);
/// Rows of one sweep.
const SWEEP_ROWS: i64 = 1_000;

/// Quotas and usage records. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    settings: Settings,
    definitions: Definitions,
    windows: Arc<Windows>,
    writer: Writer,
}

/// What a call will use at most, as far as can be told before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub tokens: u64,
    pub cost: NanoUsd,
}

/// What a call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Chat(Dialect),
    Embeddings,
}

/// Why a call is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 429 `insufficient_quota`.
    #[error("a quota is used up")]
    Exceeded {
        /// `requests`, `tokens`, `cost_nano_usd`.
        metric: &'static str,
        limit: i64,
        used: i64,
        /// When the window ends.
        resets_at: DateTime<Utc>,
    },
    /// 503: there are quotas, and nobody can say whether they are used up.
    #[error("the quotas could not be read")]
    Unavailable(#[source] db::Error),
}

/// The state of the tightest limits after this reservation, for `x-ratelimit-*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    pub requests: Option<Limit>,
    pub tokens: Option<Limit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub limit: i64,
    pub remaining: i64,
    pub resets_in: Duration,
}

impl Ledger {
    /// Opens the ledger of this process. It admits at once; [`task`](Self::task) has to run for anything to be written.
    pub fn open(db: &Db, teams: &TeamBook, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, settings: Settings) -> Self {
        metrics::announce();
        let windows = Arc::new(Windows::new(db.clone(), Arc::clone(&clock), Arc::clone(&ids), settings.clone()));
        let writer = Writer::new(db.clone(), Arc::clone(&clock), ids, Arc::clone(&windows), &settings);
        let definitions = Definitions::new(db.clone(), teams.clone(), settings.definitions_life);
        Self { inner: Arc::new(Inner { db: db.clone(), clock, settings, definitions, windows, writer }) }
    }

    /// Takes the estimate out of every limit that concerns the call (organization, team, user, key, model; minute, day,
    /// month), or takes nothing. `id` becomes the id of the usage record.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn reserve(
        &self,
        id: CompletionId,
        caller: &Caller,
        model: &Model,
        operation: Operation,
        estimate: Estimate,
    ) -> Result<Reservation, Refusal> {
        let holds = self.hold(caller, &model.alias, estimate).await.inspect_err(|refusal| match refusal {
            Refusal::Exceeded { metric, .. } => metrics::refused(metric),
            Refusal::Unavailable(_) => metrics::refused("unavailable"),
        })?;
        let now = self.inner.clock.now();
        let headroom = Headroom {
            requests: tightest(&holds, Metric::Requests, now),
            tokens: tightest(&holds, Metric::Tokens, now),
        };
        Ok(Reservation::new(self.clone(), id, *caller, model, operation, holds, headroom))
    }

    /// What was taken already goes back when something is refused.
    async fn hold(&self, caller: &Caller, alias: &str, estimate: Estimate) -> Result<Vec<windows::Hold>, Refusal> {
        let Inner { definitions, windows, clock, .. } = &*self.inner;
        let concerning = definitions.of(caller).await.map_err(Refusal::Unavailable)?;
        let now = clock.now();
        let mut holds = Vec::new();
        // Everybody goes by the same order, so of two calls that do not both fit one is admitted.
        for quota in concerning.quotas.iter().filter(|quota| quota.counts_model(alias)) {
            for subject in quota.subject.counted(caller, &concerning.teams) {
                let bucket = windows.bucket(caller.org, quota, subject, now);
                holds.extend(windows.reserve(&bucket, estimate.of(quota)).await?);
            }
        }
        Ok(holds)
    }

    /// Somebody changed a quota of `org` (`None`: of all organizations).
    pub fn quota_changed(&self, org: Option<OrgId>, quota: QuotaId) {
        self.inner.definitions.changed(org);
        self.inner.windows.ask_again(quota);
    }

    /// Writes what settles and looks after the slices; at its end everything is written, and every slice is given back.
    pub fn task(&self) -> Task {
        let ledger = self.clone();
        Task::new("ai.ledger", async move |stop: CancellationToken| {
            tokio::join!(ledger.inner.writer.run(&stop), ledger.tidy(&stop));
            ledger.warn("give slices back", ledger.inner.windows.give_back(true).await);
            Ok(())
        })
    }

    async fn tidy(&self, stop: &CancellationToken) {
        let Inner { windows, settings, .. } = &*self.inner;
        let (mut renewed, mut swept) = (std::time::Instant::now(), None::<std::time::Instant>);
        let period = TIDY.min(settings.lease_idle);
        while stop.run_until_cancelled(tokio::time::sleep(period)).await.is_some() {
            self.warn("give slices back", windows.give_back(false).await);
            if renewed.elapsed() >= settings.lease_life / 4 {
                self.warn("renew leases", windows.renew().await);
                renewed = std::time::Instant::now();
            }
            if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
                self.warn("sweep leases", self.sweep().await);
                swept = Some(std::time::Instant::now());
            }
        }
    }

    /// Gives back the slices of replicas that died, and forgets windows that nobody asks for any more.
    ///
    /// # Errors
    /// What the database says; the next sweep does what is left.
    pub async fn sweep(&self) -> Result<(), db::Error> {
        let now = self.inner.clock.now();
        loop {
            let system = self.inner.db.system("quota_sweep");
            let found = system
                .tx(move |conn| {
                    let leases = leases::sweep_expired(conn, SWEEP_ROWS)?;
                    Ok::<_, db::Error>(leases.max(leases::sweep_windows(conn, now, SWEEP_ROWS)?))
                })
                .await?;
            if i64::try_from(found).unwrap_or_default() < SWEEP_ROWS {
                return Ok(());
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads as what it belongs to")]
    fn warn(&self, what: &'static str, outcome: Result<(), db::Error>) {
        if let Err(error) = outcome {
            tracing::warn!(
                work = what,
                error = &error as &dyn std::error::Error,
                "Slices of quotas were not looked after"
            );
        }
    }
}

impl Estimate {
    /// What the call takes out of a quota, in the quota's unit.
    fn of(self, quota: &Quota) -> i64 {
        match quota.metric {
            Metric::Requests => 1,
            Metric::Tokens => i64::try_from(self.tokens).unwrap_or(i64::MAX),
            Metric::CostNanoUsd => self.cost.0.max(0),
        }
    }
}

/// Of the limits in a metric: one of a minute before one of a day, and then the one with the least left.
fn tightest(holds: &[windows::Hold], metric: Metric, now: DateTime<Utc>) -> Option<Limit> {
    let of_metric = holds.iter().filter(|hold| hold.bucket().quota.metric == metric);
    let limits = of_metric.map(|hold| {
        let (limit, remaining) = hold.headroom();
        let (bucket, period) = (hold.bucket(), hold.bucket().quota.period);
        let resets_in = (bucket.window.ends_at - now).to_std().unwrap_or_default();
        (period != Period::Minute, remaining, Limit { limit, remaining, resets_in })
    });
    limits.min_by_key(|(other_than_minute, remaining, _)| (*other_than_minute, *remaining)).map(|(_, _, limit)| limit)
}

/// The database's answer, unless it takes too long.
pub(crate) async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, db::Error>>,
) -> Result<T, db::Error> {
    let late = |_| Err(db::Error::Unavailable("it did not answer in time".into()));
    tokio::time::timeout(patience, work).await.unwrap_or_else(late)
}
