//! The outbox: events that commit with the change they tell of, and wait for the broker.
//!
//! **Nothing is lost and nothing is early.** A row is inserted by the transaction of the change. The relay claims rows and
//! keeps them locked in a transaction of its own, publishes, and deletes them in that same transaction once the broker
//! confirmed. Killed before the commit, it leaves every row as it was and they are published again; consumers tell a
//! repetition by the event's id. Rows are found by being there and never by "what comes after the last id": a row may become
//! visible after one that was inserted later.
//!
//! **Order.** Changes of one aggregate wait for each other at its row, so their events have rising positions, and the claim
//! goes by position. One relay a service: the lock, the claim and the delete are on one connection, so a relay that lost
//! its lock lost its claim too.
//!
//! **Waking.** The relay is told after the commit and not by a NOTIFY inside of the transaction: Postgres lets transactions
//! that notify commit only one by one, over all databases of the server, each with its wait for the disk (ADR 0005).

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::{CloudEvent, Event, EventId, OrgId, Origin};
use diesel::{connection::SimpleConnection, dsl, prelude::*};
use kit::Ids;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{Db, Dedicated, Error, Inner, probe::Probe, schema::outbox_events as table, signal::Signal};

/// How often the relay looks for a NOTIFY of another replica. Looking reads what the socket holds, about a microsecond;
/// libpq's socket cannot be awaited through diesel. Commits of the relay's own process wake it without this.
const LISTEN_INTERVAL: Duration = Duration::from_millis(10);

/// Adds `event` to the outbox in the current transaction, and gives its id. `sequence` is the aggregate's version after
/// the change. In a tenant's transaction the origin's organization must be that tenant or none.
///
/// # Errors
/// [`Error::Json`] when the event cannot be written as JSON; what an insert can fail with.
pub fn append<E: Event>(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    sequence: i64,
    event: &E,
) -> Result<EventId, Error> {
    let id = EventId::from_uuid(ids.uuid());
    let event = CloudEvent::new(id, origin, sequence, event)?;
    let headers = Headers { source: event.source, actor: event.actor, traceparent: event.traceparent };
    diesel::insert_into(table::table)
        .values((
            table::id.eq(id.uuid()),
            table::aggregate_type.eq(E::AGGREGATE),
            table::aggregate_id.eq(event.subject),
            table::sequence.eq(sequence),
            table::event_type.eq(E::TYPE),
            table::org_id.eq(event.org.map(OrgId::uuid)),
            table::payload.eq(event.data),
            table::headers.eq(serde_json::to_value(headers)?),
            table::occurred_at.eq(event.time),
        ))
        .execute(conn)?;
    Probe::note_events(conn);
    Ok(id)
}

/// A row that a relay has claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// Names the row for [`delete`].
    pub position: i64,
    /// What is to be published.
    pub event: CloudEvent,
}

/// Locks the oldest `limit` rows for the current transaction, in order; rows that another transaction holds are passed
/// over. As the system role.
pub fn claim(conn: &mut PgConnection, limit: u32) -> Result<Vec<Claimed>, Error> {
    let rows: Vec<Row> = table::table
        .select(Row::as_select())
        .order(table::position)
        .limit(i64::from(limit))
        .for_update()
        .skip_locked()
        .load(conn)?;
    rows.into_iter().map(Claimed::try_from).collect()
}

/// Deletes rows by position; gives how many there were.
pub fn delete(conn: &mut PgConnection, positions: &[i64]) -> Result<usize, Error> {
    Ok(diesel::delete(table::table.filter(table::position.eq_any(positions))).execute(conn)?)
}

/// How long the oldest row has been waiting, by the database's clock; `None` when the outbox is empty. As the system role.
pub fn oldest_age(conn: &mut PgConnection) -> Result<Option<Duration>, Error> {
    let oldest =
        table::table.select(table::created_at).order(table::position).first::<DateTime<Utc>>(conn).optional()?;
    let Some(oldest) = oldest else { return Ok(None) };
    let now: DateTime<Utc> = diesel::select(dsl::now.into_sql::<diesel::sql_types::Timestamptz>()).get_result(conn)?;
    Ok(Some((now - oldest).to_std().unwrap_or_default()))
}

/// The channel on which the relay of a schema is woken.
pub fn channel(schema: &str) -> String {
    format!("outbox_{schema}")
}

impl Db {
    /// Becomes the one relay of the service; `None` while another session is.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn outbox_session(&self) -> Result<Option<Session>, Error> {
        let mut conn = self.dedicated("relay").await?;
        if !conn.try_lock("relay").await? {
            return Ok(None);
        }
        conn.listen(&channel(self.inner.schema)).await?;
        let signal = std::sync::Arc::clone(&self.inner.signal);
        signal.set_relay_here(true);
        Ok(Some(Session { conn, signal }))
    }
}

/// The relay's side of the outbox: the lock, and the connection that holds it. Claim, publish, [`confirm`](Self::confirm);
/// when a batch comes back empty, [`wait`](Self::wait). After an error drop it and ask for another.
#[derive(Debug)]
pub struct Session {
    conn: Dedicated,
    signal: std::sync::Arc<Signal>,
}

impl Session {
    /// Claims the oldest `limit` events in order. While there are any, a transaction is open that keeps them, until
    /// [`confirm`](Self::confirm) or [`release`](Self::release), for a minute at most.
    pub async fn claim(&mut self, limit: u32) -> Result<Vec<Claimed>, Error> {
        self.conn.begin().await?;
        let claimed = self.conn.run(move |conn| claim(conn, limit)).await;
        if !claimed.as_ref().is_ok_and(|events| !events.is_empty()) {
            self.conn.rollback().await?;
        }
        claimed
    }

    /// The broker has these: they are gone when this returns. The others of the claim are free again.
    pub async fn confirm(&mut self, positions: Vec<i64>) -> Result<(), Error> {
        self.conn
            .run(move |conn| {
                delete(conn, &positions)?;
                crate::transaction::commit(conn)
            })
            .await
    }

    /// The broker has none of them: all are free again.
    pub async fn release(&mut self) -> Result<(), Error> {
        self.conn.rollback().await
    }

    /// Waits until events may have been committed, by any process; `false` after `at_most` without a sign. Poll anyway
    /// then: signs can be missed, rows cannot.
    pub async fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        let until = Instant::now() + at_most;
        loop {
            if self.conn.take_notifications()? {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if self.signal.raised(left.min(LISTEN_INTERVAL)).await {
                return Ok(true);
            }
        }
    }

    /// How long the oldest event has been waiting; `None` when there is none.
    pub async fn oldest_age(&mut self) -> Result<Option<Duration>, Error> {
        self.conn.run(oldest_age).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.signal.set_relay_here(false);
    }
}

/// After a commit with events: tells the relay, wherever it is. Its poll makes up for a failure.
pub(crate) fn wake_relay(db: &Inner, conn: &mut PgConnection) {
    if !db.signal.raise() {
        return;
    }
    if let Err(error) = conn.batch_execute(&format!("NOTIFY \"{}\"", channel(db.schema))) {
        tracing::debug!(error = %error, "The relay was not woken and will find the events by polling");
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = table)]
struct Row {
    position: i64,
    id: Uuid,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    org_id: Option<Uuid>,
    payload: Value,
    headers: Value,
    occurred_at: DateTime<Utc>,
}

/// Attributes of the event that are not columns.
#[derive(Serialize, Deserialize)]
struct Headers {
    source: String,
    #[serde(rename = "actorid", default, skip_serializing_if = "Option::is_none")]
    actor: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

impl TryFrom<Row> for Claimed {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let headers: Headers = serde_json::from_value(row.headers)?;
        Ok(Self {
            position: row.position,
            event: CloudEvent {
                id: EventId::from_uuid(row.id),
                source: headers.source,
                event_type: row.event_type,
                subject: row.aggregate_id,
                time: row.occurred_at,
                org: row.org_id.map(OrgId::from_uuid),
                actor: headers.actor,
                traceparent: headers.traceparent,
                sequence: row.sequence,
                data: row.payload,
            },
        })
    }
}
