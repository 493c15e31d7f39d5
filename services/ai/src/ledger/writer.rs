//! Takes settled calls off the hot path and writes them in batches; into the spool while the database is away.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use db::Db;
use futures_util::{StreamExt as _, stream};
use kit::{CancellationToken, Clock, Ids};
use tokio::sync::{Notify, oneshot};

use super::{
    Durability, Settings,
    commit::commit,
    entry::Entry,
    metrics,
    spool::{Reader, Spool},
    windows::Windows,
};

/// Calls of one transaction, at most.
const BATCH: usize = 500;
/// Transactions at a time when each call has its own.
const SINGLE_AT_ONCE: usize = 4;
/// Calls that are worth a transaction. To write many at once takes few transactions and makes a wave of work, which the
/// calls of that moment feel.
const WAVE: usize = 8;
/// How long fewer gather before they are written, when nobody waits for it and when somebody does.
const LINGER: Duration = Duration::from_millis(150);
const LINGER_WAITED_FOR: Duration = Duration::from_millis(2);
/// Calls in memory at most: what is more goes into the spool at once.
const MOST_QUEUED: usize = 20_000;
/// Between two tries to reach a database that is away, and to read the spool.
const AGAIN: Duration = Duration::from_secs(1);
/// A database that hangs longer is taken for one that is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call that waits to be written, and who waits for it.
struct Waiting {
    entry: Entry,
    done: Option<oneshot::Sender<()>>,
}

pub struct Writer {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    windows: Arc<Windows>,
    durability: Durability,
    spool: Option<Arc<Spool>>,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Nobody reads the queue any more.
    closed: bool,
}

impl Queue {
    /// Many wait, or a turn does, which the next call may recall.
    fn is_worth_writing(&self) -> bool {
        self.waiting.len() >= WAVE || self.waiting.iter().any(|one| one.entry.turn.is_some())
    }
}

impl Writer {
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, windows: Arc<Windows>, settings: &Settings) -> Self {
        let spool = settings.spool_dir.as_deref().and_then(|dir| {
            let opened = Spool::open(dir, settings.spool_max_bytes);
            opened
                .inspect_err(|error| tracing::error!(%error, "The usage spool cannot be opened: usage waits in memory"))
                .ok()
                .map(Arc::new)
        });
        let queue = Mutex::default();
        Self { db, clock, ids, windows, durability: settings.durability, spool, queue, wake: Notify::new() }
    }

    /// Takes a settled call. Never waits; the receiver is told when the call is durable.
    pub fn take(&self, entry: Entry) -> Option<oneshot::Receiver<()>> {
        let (done, told) = match self.durability {
            Durability::Async => (None, None),
            Durability::Batch | Durability::Sync => {
                let (done, told) = oneshot::channel();
                (Some(done), Some(told))
            }
        };
        let mut queue = self.queue();
        if queue.closed || queue.waiting.len() >= MOST_QUEUED {
            drop(queue);
            self.overflow(&entry);
            return None;
        }
        let hurries = entry.turn.is_some();
        queue.waiting.push_back(Waiting { entry, done });
        let waiting = queue.waiting.len();
        metrics::queued(waiting);
        drop(queue);
        // Waking another thread for each call would cost the caller more than all the rest of this.
        if waiting == 1 || waiting == WAVE || hurries {
            self.wake.notify_one();
        }
        told
    }

    /// The database is too slow or the process leaves: the disk is the only place left.
    fn overflow(&self, entry: &Entry) {
        let spooled = self.spool.as_ref().map(|spool| spool.append(self.ids.uuid(), [entry]));
        if !matches!(spooled, Some(Ok(()))) {
            metrics::lost(1);
            tracing::error!(completion.id = %entry.record.id, "A call's usage could not be kept");
        }
    }

    /// Writes until `stop`, and then what is left.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut course = Course::default();
        loop {
            let stopping = stop.is_cancelled();
            let more = !stopping && self.replay(&mut course).await;
            if !stopping && !more {
                self.gather(stop).await;
            }
            let batch = self.next_batch();
            if !batch.is_empty() {
                self.write(batch, &mut course, stopping).await;
            } else if stopping && self.close() {
                break;
            }
        }
    }

    /// Takes no more calls, unless one has come that still has to be written.
    fn close(&self) -> bool {
        let mut queue = self.queue();
        queue.closed = queue.waiting.is_empty();
        queue.closed
    }

    /// Waits for the first call and then for those that come with it; a second at most, for the spool's sake.
    async fn gather(&self, stop: &CancellationToken) {
        if self.queue().waiting.is_empty() {
            tokio::select! {
                () = self.wake.notified() => {}
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => return,
            }
        }
        let linger = if self.durability == Durability::Async { LINGER } else { LINGER_WAITED_FOR };
        let wave = async {
            while !self.queue().is_worth_writing() {
                self.wake.notified().await;
            }
        };
        let _ = stop.run_until_cancelled(tokio::time::timeout(linger, wave)).await;
    }

    fn next_batch(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
        let count = queue.waiting.len().min(BATCH);
        let batch = queue.waiting.drain(..count).collect();
        metrics::queued(queue.waiting.len());
        batch
    }

    async fn write(&self, batch: Vec<Waiting>, course: &mut Course, stopping: bool) {
        let left = if course.may_try() {
            let left = match self.durability {
                Durability::Sync => {
                    let all = stream::iter(batch).map(async |one| self.commit(vec![one]).await.calls);
                    all.buffer_unordered(SINGLE_AT_ONCE).concat().await
                }
                Durability::Async | Durability::Batch => self.commit(batch).await.calls,
            };
            course.note(left.is_empty());
            if left.is_empty() && course.went_well_since_refusal.is_some() {
                course.went_well_since_refusal = Some(true);
            }
            left
        } else {
            batch
        };
        self.keep(left, stopping).await;
    }

    /// Brings the next calls of the spool into the database; whether there may be more of them.
    async fn replay(&self, course: &mut Course) -> bool {
        let Some(spool) = self.spool.as_ref().filter(|_| course.may_try()) else { return false };
        match self.replay_from(spool, course).await {
            Ok(more) => more,
            Err(error) => {
                tracing::error!(%error, "The usage spool cannot be read");
                course.note(false);
                false
            }
        }
    }

    async fn replay_from(&self, spool: &Arc<Spool>, course: &mut Course) -> std::io::Result<bool> {
        if course.reading.is_none() {
            // Also when there is nothing of ours: a process beside us may have died.
            if spool.bytes() == 0 && course.looked_at.is_some_and(|at| at.elapsed() < AGAIN) {
                return Ok(false);
            }
            course.looked_at = Some(Instant::now());
            let Some(reader) = spool.next_file()? else { return Ok(false) };
            course.reading = Some((reader, Vec::new()));
        }
        let Some((mut reader, mut calls)) = course.reading.take() else { return Ok(false) };
        if calls.is_empty() {
            calls = reader.next(BATCH)?.into_iter().map(|entry| Waiting { entry, done: None }).collect();
        }
        if calls.is_empty() {
            reader.finish()?;
            metrics::spooled(spool.bytes());
            return Ok(true);
        }
        let Left { mut calls, refusal } = self.commit(calls).await;
        if let Some(error) = refusal {
            // Alone it says nothing of the database; what others meet after it does.
            if course.went_well_since_refusal != Some(true) {
                course.went_well_since_refusal = Some(false);
                course.reading = Some((reader, calls));
                return Ok(false);
            }
            calls.drain(..).for_each(|one| self.reject(one, &error));
            course.went_well_since_refusal = None;
        }
        let done = calls.is_empty();
        course.note(done);
        course.reading = Some((reader, calls));
        Ok(done)
    }

    /// Gives back the calls that another try may bring in: all of them when the database is away.
    async fn commit(&self, batch: Vec<Waiting>) -> Left {
        let error = match self.transaction(&batch).await {
            Ok(()) => {
                batch.into_iter().for_each(Waiting::tell);
                return Left::default();
            }
            Err(error) => error,
        };
        if error.is_transient() || batch.len() == 1 {
            tracing::debug!(error = &error as &dyn std::error::Error, "Usage was not written");
            return Left { calls: batch, refusal: Some(error).filter(|error| !error.is_transient()) };
        }
        tracing::warn!(error = &error as &dyn std::error::Error, "A batch of usage was refused: trying one by one");
        Left { calls: self.commit_singly(batch).await, refusal: None }
    }

    /// A call that is refused while others are not is itself the reason. It must not hold up the rest.
    async fn commit_singly(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let (count, mut left, mut refused) = (batch.len(), Vec::new(), Vec::new());
        for one in batch {
            match self.transaction(std::slice::from_ref(&one)).await {
                Ok(()) => one.tell(),
                Err(error) if error.is_transient() => left.push(one),
                Err(error) => refused.push((one, error)),
            }
        }
        if refused.len() + left.len() == count {
            left.extend(refused.into_iter().map(|(one, _)| one));
        } else {
            for (one, error) in refused {
                self.reject(one, &error);
            }
        }
        left
    }

    async fn transaction(&self, batch: &[Waiting]) -> Result<(), db::Error> {
        let (ids, now, begun) = (Arc::clone(&self.ids), self.clock.now(), Instant::now());
        let entries: Vec<Entry> = batch.iter().map(|one| one.entry.clone()).collect();
        let system = self.db.system("usage");
        let work = system.tx_retrying(move |conn| commit(conn, &*ids, now, &entries));
        let outcome = super::in_time(PATIENCE, work).await;
        metrics::wrote(batch.len(), begun.elapsed(), outcome.is_ok());
        outcome?;
        for charge in batch.iter().flat_map(|one| &one.entry.charges) {
            self.windows.committed(&charge.settled());
        }
        Ok(())
    }

    /// Sets a call aside that the database refuses, and calls somebody.
    fn reject(&self, one: Waiting, error: &db::Error) {
        let kept = self.spool.as_ref().is_some_and(|spool| spool.reject(&one.entry).is_ok());
        metrics::rejected();
        tracing::error!(
            completion.id = %one.entry.record.id,
            kept,
            error = error as &dyn std::error::Error,
            "The database refuses a call's usage"
        );
        one.tell();
    }

    /// Puts calls into the spool; back into the queue when there is none, or it is full.
    async fn keep(&self, batch: Vec<Waiting>, stopping: bool) {
        if batch.is_empty() {
            return;
        }
        let Some(spool) = &self.spool else { return self.put_back(batch, stopping).await };
        let (spool, name) = (Arc::clone(spool), self.ids.uuid());
        let appending = tokio::task::spawn_blocking(move || {
            let outcome = spool.append(name, batch.iter().map(|one| &one.entry));
            (batch, outcome, spool.bytes())
        });
        // It neither panics nor is cancelled before its end.
        let Ok((batch, outcome, bytes)) = appending.await else { return };
        match outcome {
            Ok(()) => {
                metrics::spooled(bytes);
                batch.into_iter().for_each(Waiting::tell);
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "Usage cannot be spooled");
                self.put_back(batch, stopping).await;
            }
        }
    }

    async fn put_back(&self, batch: Vec<Waiting>, stopping: bool) {
        if stopping {
            metrics::lost(batch.len());
            tracing::error!(calls = batch.len(), "Usage is lost: neither the database nor the spool takes it");
            return;
        }
        {
            let mut queue = self.queue();
            for one in batch.into_iter().rev() {
                queue.waiting.push_front(one);
            }
            metrics::queued(queue.waiting.len());
        }
        tokio::time::sleep(AGAIN).await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The call is safe.
    fn tell(self) {
        if let Some(done) = self.done {
            // Whoever left does not want to know.
            let _ = done.send(());
        }
    }
}

/// What a try to write left over.
#[derive(Default)]
struct Left {
    calls: Vec<Waiting>,
    /// Why a single call was refused, when that may be its own fault.
    refusal: Option<db::Error>,
}

/// How it goes with the database, and where in the spool we are.
#[derive(Default)]
struct Course {
    away_until: Option<Instant>,
    /// Whether calls were written since a call of the spool was refused on its own; `None` when none was.
    went_well_since_refusal: Option<bool>,
    looked_at: Option<Instant>,
    reading: Option<(Reader, Vec<Waiting>)>,
}

impl Course {
    fn may_try(&self) -> bool {
        self.away_until.is_none_or(|until| Instant::now() >= until)
    }

    fn note(&mut self, fine: bool) {
        match (fine, self.away_until) {
            (true, Some(_)) => tracing::info!("Usage is written again"),
            (false, None) => tracing::warn!("Usage cannot be written to the database and waits"),
            _ => {}
        }
        self.away_until = (!fine).then(|| Instant::now() + AGAIN);
    }
}
