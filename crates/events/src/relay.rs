//! From the outbox to the broker. A row leaves the outbox after the broker confirmed its event, never before.
//!
//! While there is more than one batch, two are on their way: while the broker writes one to its disk, the one before is
//! deleted and the next is claimed and sent, all on one channel, whose order is the order of the outbox. What fits into one
//! batch is done with before the next is asked for, and the next gathers a little: each round costs the database as much as
//! many rows do.

use std::collections::BTreeSet;
use std::time::Duration;

use db::Db;
use db::diesel::prelude::*;
use db::diesel::{self, sql_types};
use db::outbox::{Claimed, Session};
use futures_util::future::join_all;
use kit::{CancellationToken, Task};
use tokio::time::Instant;

use crate::publisher::{Confirmed, Pipeline};
use crate::session::forever;
use crate::{Broker, Error, metrics};

/// Rows in one claim: enough to hide the round trips behind the broker's disk, few enough to repeat two after a crash.
const BATCH: u32 = 500;
/// Between the beginnings of two rounds that were not full. An event that comes after a pause does not wait.
const GATHER: Duration = Duration::from_millis(10);
/// How often to look without having been woken, and how often a standby asks for the lock.
const POLL: Duration = Duration::from_secs(1);
/// How often to count the rows, which reads all of them.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Publishes a service's outbox. Every replica runs one; the database's lock lets one of them work.
pub struct Relay {
    db: Db,
    broker: Broker,
}

impl Relay {
    /// A relay from `db` to `broker`.
    pub fn new(db: &Db, broker: &Broker) -> Self {
        Self { db: db.clone(), broker: broker.clone() }
    }

    /// Relays for ever. When told to stop it finishes the batch in hand.
    pub fn task(self) -> Task {
        Task::new("relay", async move |stop: CancellationToken| {
            forever("relay", self.broker.service(), &stop, || self.session(&stop)).await;
            fall_silent(self.broker.service());
            Ok(())
        })
    }

    async fn session(&self, stop: &CancellationToken) -> Result<(), Error> {
        let Some(mut outbox) = self.db.outbox_session().await? else {
            fall_silent(self.broker.service());
            stop.run_until_cancelled(tokio::time::sleep(POLL)).await;
            return Ok(());
        };
        let mut gauge = Gauge { relay: self, counted: None, aged: None };
        // Before the broker is asked for anything: a broker that is down is when these matter.
        gauge.update(&mut outbox).await?;
        let pipeline = Pipeline::open(&self.broker).await?;
        tracing::info!("Relaying the outbox");
        let mut under_way: Option<Batch> = None;
        while !stop.is_cancelled() {
            gauge.update(&mut outbox).await?;
            let begun = Instant::now();
            let claimed = outbox.claim(BATCH).await?;
            let full = claimed.len() == BATCH as usize;
            let next = if claimed.is_empty() { None } else { Some(Batch::send(&pipeline, begun, claimed).await) };
            if let Some(before) = std::mem::replace(&mut under_way, next) {
                self.settle(before, &mut outbox).await?;
            }
            if full {
                continue;
            }
            if let Some(batch) = under_way.take() {
                self.settle(batch, &mut outbox).await?;
                stop.run_until_cancelled(tokio::time::sleep_until(begun + GATHER)).await;
            } else if let Some(woken) = stop.run_until_cancelled(outbox.wait(POLL)).await {
                woken?;
            }
        }
        match under_way {
            Some(batch) => self.settle(batch, &mut outbox).await,
            None => Ok(()),
        }
    }

    /// Waits for the broker and deletes what it has. A failure ends the session: what was sent after it is repeated by the
    /// next one, which keeps the order.
    async fn settle(&self, batch: Batch, outbox: &mut Session) -> Result<(), Error> {
        let begun = batch.begun;
        let (confirmed, failure) = batch.confirmed().await;
        outbox.confirm(confirmed).await?;
        metrics::RELAY_PUBLISH.with_label_values(&[self.broker.service()]).observe(begun.elapsed().as_secs_f64());
        failure.map_or(Ok(()), Err)
    }

    async fn count(&self) -> Result<i64, Error> {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = sql_types::BigInt)]
            count: i64,
        }
        let scope = self.db.system("outbox_count");
        let counted = scope.tx(|conn| {
            let query = diesel::sql_query("SELECT count(*) AS count FROM outbox_events");
            Ok::<_, db::Error>(query.get_result::<Count>(conn)?.count)
        });
        Ok(counted.await?)
    }
}

/// Claimed events that were handed to the broker, in order.
struct Batch {
    /// When it was about to be claimed.
    begun: Instant,
    events: Vec<(Claimed, Result<Confirmed, Error>)>,
}

impl Batch {
    async fn send(pipeline: &Pipeline, begun: Instant, claimed: Vec<Claimed>) -> Self {
        let mut events = Vec::with_capacity(claimed.len());
        for row in claimed {
            let confirmation = pipeline.send(&row.event).await;
            events.push((row, confirmation));
        }
        Self { begun, events }
    }

    /// Waits for the confirmations and gives the positions that may be deleted, with the first failure.
    ///
    /// Of an aggregate whose event failed, what comes after it stays in the outbox too, although the broker may have it:
    /// then the next round repeats these in their order instead of putting the failed one behind them for good.
    async fn confirmed(self) -> (Vec<i64>, Option<Error>) {
        let (rows, sent): (Vec<_>, Vec<_>) = self.events.into_iter().unzip();
        let outcomes = join_all(sent.into_iter().map(async |sent| sent?.await)).await;
        let (mut confirmed, mut stuck, mut failure) = (Vec::with_capacity(rows.len()), BTreeSet::new(), None);
        for (row, outcome) in rows.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) if !stuck.contains(&row.event.subject) => confirmed.push(row.position),
                Ok(()) => {}
                Err(error) => {
                    stuck.insert(row.event.subject);
                    failure.get_or_insert(error);
                }
            }
        }
        (confirmed, failure)
    }
}

/// What the relay says about the outbox, and when it said so.
struct Gauge<'a> {
    relay: &'a Relay,
    counted: Option<Instant>,
    aged: Option<Instant>,
}

impl Gauge<'_> {
    async fn update(&mut self, outbox: &mut Session) -> Result<(), Error> {
        let labels = [self.relay.broker.service()];
        if due(&mut self.aged, POLL) {
            let age = outbox.oldest_age().await?.unwrap_or_default();
            metrics::OUTBOX_OLDEST.with_label_values(&labels).set(age.as_secs().try_into().unwrap_or(i64::MAX));
        }
        if due(&mut self.counted, COUNT_EVERY) {
            metrics::OUTBOX_PENDING.with_label_values(&labels).set(self.relay.count().await?);
        }
        Ok(())
    }
}

fn due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// Takes the gauges away: another replica, whoever has the lock, speaks for the outbox.
fn fall_silent(service: &str) {
    for gauge in [&*metrics::OUTBOX_OLDEST, &*metrics::OUTBOX_PENDING] {
        // An error says that there was nothing to take away.
        let _ = gauge.remove_label_values(&[service]);
    }
}
