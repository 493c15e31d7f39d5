//! The windows that this replica admits calls from, and how it gets more of them out of the database.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use contracts::OrgId;
use db::Db;
use kit::{Clock, Ids};
use uuid::Uuid;

use super::{
    Refusal, Settings,
    slice::{Short, Slice, View},
    take::{Answer, Need, Take},
};
use crate::{
    domain::{
        quota::Quota,
        window::{Window, WindowKey},
    },
    store::leases,
};

/// A lease is not used for its last moments: the statement that renews it takes time, and clocks run at different speeds.
const MARGIN: f64 = 0.9;
/// After a take failed nobody tries again for so long.
const PAUSE: Duration = Duration::from_millis(500);
/// A database that hangs longer is taken for one that is away.
const PATIENCE: Duration = Duration::from_secs(3);
/// A caller for whom others are always faster gives up after so many takes.
const MOST_TAKES: u32 = 32;

/// One window of one quota for one subject, as this replica sees it.
pub struct Bucket {
    pub key: WindowKey,
    pub window: Window,
    pub quota: Arc<Quota>,
    pub org: OrgId,
    slice: Mutex<Slice>,
    /// Held by whoever asks the database for more.
    taking: Arc<tokio::sync::Mutex<()>>,
}

/// What a call took out of a bucket. Dropped unsettled it goes back.
pub struct Hold {
    bucket: Arc<Bucket>,
    lease: Uuid,
    amount: i64,
    settled: bool,
}

/// How a hold was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub key: WindowKey,
    pub lease: Uuid,
    /// What the window's `used` grows by.
    pub used: i64,
    /// What the lease shrinks by.
    pub released: i64,
}

impl Bucket {
    fn slice(&self) -> MutexGuard<'_, Slice> {
        // Every change of a slice is complete before anything in it could panic.
        self.slice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(self: &Arc<Self>, amount: i64) -> Result<Hold, Short> {
        let lease = self.slice().reserve(amount, Instant::now())?;
        Ok(Hold { bucket: Arc::clone(self), lease, amount, settled: false })
    }
}

impl Hold {
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    pub fn headroom(&self) -> (i64, i64) {
        self.bucket.slice().headroom()
    }

    /// Replaces the estimate by what was used.
    pub fn settle(mut self, used: i64) -> Settled {
        self.settled = true;
        let released = self.bucket.slice().settle(self.lease, self.amount, used);
        Settled { key: self.bucket.key, lease: self.lease, used, released }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.settled {
            self.bucket.slice().give_back(self.lease, self.amount);
        }
    }
}

/// All buckets of this replica.
pub struct Windows {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    settings: Settings,
    buckets: RwLock<HashMap<WindowKey, Arc<Bucket>>>,
    /// Until when nobody asks the database, because it just did not answer.
    away_until: Mutex<Option<Instant>>,
}

impl Windows {
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, settings: Settings) -> Self {
        Self { db, clock, ids, settings, buckets: RwLock::default(), away_until: Mutex::default() }
    }

    /// The bucket of a window, made when it is the first that anybody asks of it.
    pub fn bucket(&self, org: OrgId, quota: &Arc<Quota>, subject: Uuid, now: DateTime<Utc>) -> Arc<Bucket> {
        let window = quota.period.window(now);
        let key = WindowKey { quota: quota.id, subject, started_at: window.started_at };
        if let Some(bucket) = self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(bucket);
        }
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key).or_insert_with(|| {
            let slice = Mutex::new(Slice::new(self.ids.uuid(), Instant::now()));
            Arc::new(Bucket { key, window, quota: Arc::clone(quota), org, slice, taking: Arc::default() })
        });
        Arc::clone(bucket)
    }

    /// Every bucket at this moment.
    pub fn all(&self) -> Vec<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }

    fn get(&self, key: &WindowKey) -> Option<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(key).map(Arc::clone)
    }

    fn forget(&self, key: &WindowKey) {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Forgets what was found out about a quota that somebody changed.
    pub fn ask_again(&self, quota: contracts::QuotaId) {
        for bucket in self.all().into_iter().filter(|bucket| bucket.key.quota == quota) {
            bucket.slice().ask_again();
        }
    }

    /// What has settled is committed.
    pub fn committed(&self, settled: &Settled) {
        if let Some(bucket) = self.get(&settled.key) {
            bucket.slice().committed(settled.lease, settled.released);
        }
    }

    /// Takes `amount` out of a bucket: from memory, and when that has not enough, after a take from the database. `None`
    /// when the quota does not hold any more.
    pub async fn reserve(self: &Arc<Self>, bucket: &Arc<Bucket>, amount: i64) -> Result<Option<Hold>, Refusal> {
        for _ in 0..MOST_TAKES {
            match bucket.reserve(amount) {
                Ok(hold) => {
                    self.take_in_advance(bucket);
                    return Ok(Some(hold));
                }
                Err(Short::Lifted) => return Ok(None),
                Err(Short::UsedUp(view)) => return Err(exceeded(bucket, view)),
                Err(Short::Dry) => self.take(bucket, amount).await.map_err(Refusal::Unavailable)?,
            }
        }
        Err(Refusal::Unavailable(db::Error::Busy))
    }

    /// Gets more of a window. Whoever needs it meanwhile waits for the same take or the next one.
    async fn take(self: &Arc<Self>, bucket: &Arc<Bucket>, amount: i64) -> Result<(), db::Error> {
        let waiting = Waiting::new(bucket, amount);
        let turn = Arc::clone(&bucket.taking).lock_owned().await;
        // Somebody else's take may have been enough for us, too, or was refused for less.
        match bucket.reserve(amount) {
            Err(Short::Dry) => {}
            Ok(_) | Err(_) => return Ok(()),
        }
        self.is_there()?;
        let (windows, taken) = (Arc::clone(self), Arc::clone(bucket));
        // By itself, so that what the database grants arrives also when the caller has left.
        let take = kit::tasks::spawn("ai.ledger.take", async move {
            let wanted = taken.slice().waiting();
            let outcome = windows.ask(&taken, Need::Now(amount), wanted).await;
            drop(turn);
            outcome
        });
        let outcome = take.await.unwrap_or_else(|_| Err(db::Error::Unavailable("the process is shutting down".into())));
        drop(waiting);
        outcome
    }

    /// Gets the next slice before the last one is used up.
    fn take_in_advance(self: &Arc<Self>, bucket: &Arc<Bucket>) {
        if !bucket.slice().runs_low() || self.is_there().is_err() {
            return;
        }
        let Ok(turn) = Arc::clone(&bucket.taking).try_lock_owned() else { return };
        let (windows, bucket) = (Arc::clone(self), Arc::clone(bucket));
        kit::tasks::spawn("ai.ledger.take", async move {
            let wanted = bucket.slice().wanted_in_advance();
            if let Err(error) = windows.ask(&bucket, Need::Soon, wanted).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "No slice was taken in advance");
            }
            drop(turn);
        });
    }

    /// One take. Only for whoever holds the bucket's `taking`.
    async fn ask(&self, bucket: &Arc<Bucket>, need: Need, wanted: i64) -> Result<(), db::Error> {
        let begun = Instant::now();
        let (lease, held, free) = {
            let mut slice = bucket.slice();
            let (lease, held) = slice.before_take(self.ids.uuid(), begun);
            (lease, held, slice.free())
        };
        // What is free here already need not come from the database as well.
        let missing = match need {
            Need::Now(amount) => Need::Now(amount.saturating_sub(free).max(i64::from(amount > 0))),
            Need::Soon => Need::Soon,
        };
        let take = Take {
            key: bucket.key,
            org: bucket.org,
            window: bucket.window,
            lease,
            held,
            need: missing,
            wanted,
            life: self.settings.lease_life,
            now: self.clock.now(),
            ids: Arc::clone(&self.ids),
        };
        let tenant = self.db.tenant(bucket.org);
        let answer = super::in_time(PATIENCE, tenant.tx(move |conn| take.run(conn))).await.inspect_err(|error| {
            if matches!(error, db::Error::Unavailable(_)) {
                *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
            }
        })?;
        let mut slice = bucket.slice();
        match answer {
            Answer::Granted { granted, found, view } => {
                slice.granted(lease, granted, found, view, begun + self.settings.lease_life.mul_f64(MARGIN));
            }
            Answer::UsedUp(view) => match need {
                Need::Now(amount) => slice.used_up(amount, view, Instant::now() + self.settings.refusal_life),
                Need::Soon => slice.nothing_in_advance(view),
            },
            Answer::Lost => slice.lose(self.ids.uuid()),
            Answer::Lifted => {
                slice.lift();
                drop(slice);
                self.forget(&bucket.key);
            }
        }
        Ok(())
    }

    fn is_there(&self) -> Result<(), db::Error> {
        let away_until = *self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        match away_until {
            Some(until) if Instant::now() < until => {
                Err(db::Error::Unavailable("the database did not answer a moment ago".into()))
            }
            _ => Ok(()),
        }
    }

    /// Renews every lease that holds something. Those that are gone admit nobody any more.
    pub async fn renew(&self) -> Result<(), db::Error> {
        let begun = Instant::now();
        let all = self.all();
        let ours: Vec<(&Arc<Bucket>, Uuid)> =
            all.iter().filter_map(|bucket| Some((bucket, bucket.slice().lease()?))).collect();
        if ours.is_empty() {
            return Ok(());
        }
        let (leases, life) = (ours.iter().map(|(_, lease)| *lease).collect::<Vec<_>>(), self.settings.lease_life);
        let system = self.db.system("quota_leases");
        let work = system.tx(move |conn| Ok(leases::renew(conn, &leases, life)?));
        let alive: HashSet<Uuid> = super::in_time(PATIENCE, work).await?.into_iter().collect();
        for (bucket, lease) in ours {
            let mut slice = bucket.slice();
            if alive.contains(&lease) {
                slice.renewed(lease, begun + life.mul_f64(MARGIN));
            } else if slice.lease() == Some(lease) {
                slice.lose(self.ids.uuid());
            }
        }
        Ok(())
    }

    /// Gives back what is not needed: slices that were idle or whose window is over, or (at the end) all of them. Forgets
    /// windows that are over.
    pub async fn give_back(&self, all: bool) -> Result<(), db::Error> {
        let (now, instant) = (self.clock.now(), Instant::now());
        let (mut releases, mut given_up) = (Vec::new(), Vec::new());
        for bucket in self.all() {
            // Whoever takes at this moment will find less than it was told; the next round is soon enough.
            let Ok(turn) = Arc::clone(&bucket.taking).try_lock_owned() else { continue };
            let over = all || bucket.window.ends_at <= now;
            let mut slice = bucket.slice();
            if let Some((lease, amount)) = slice.idle(self.settings.lease_idle, over, instant) {
                releases.push(leases::Release { key: bucket.key, lease, amount });
                // Nobody takes before the database has it back: a take would find it in the lease and hand it out again.
                given_up.push((Arc::clone(&bucket), turn));
            }
            if over && slice.is_empty() {
                drop(slice);
                self.forget(&bucket.key);
            }
        }
        if releases.is_empty() {
            return Ok(());
        }
        let system = self.db.system("quota_leases");
        let outcome = super::in_time(PATIENCE, system.tx(move |conn| Ok(leases::release(conn, &releases)?))).await;
        if outcome.is_err() {
            // It may have happened, or happen yet. These leases admit nobody any more, and expire.
            for (bucket, _turn) in &given_up {
                bucket.slice().lose(self.ids.uuid());
            }
        }
        outcome
    }
}

/// Counts a caller among those who wait for a bucket, for as long as it does.
struct Waiting<'a>(&'a Bucket, i64);

impl<'a> Waiting<'a> {
    fn new(bucket: &'a Bucket, amount: i64) -> Self {
        bucket.slice().wait(amount);
        Self(bucket, amount)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.slice().waited(self.1);
    }
}

fn exceeded(bucket: &Bucket, view: View) -> Refusal {
    Refusal::Exceeded {
        metric: bucket.quota.metric.as_str(),
        limit: view.limit,
        used: view.limit.saturating_sub(view.rest).max(view.used),
        resets_at: bucket.window.ends_at,
    }
}
