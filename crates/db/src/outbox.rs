//! The outbox: events that commit with the change they tell of, and wait for the broker.
//!
//! **Nothing is lost and nothing is early.** A row is inserted by the transaction of the change. The relay claims rows,
//! publishes, and deletes them once the broker confirmed. Killed before the delete committed, it leaves every row as it was
//! and they are published again; consumers tell a repetition by the event's id. Rows are found by being there and never by
//! "what comes after the last id": a row may become visible after one that was inserted later.
//!
//! **Order.** Changes of one aggregate wait for each other at its row, so their events have rising positions, and the claim
//! goes by position. One relay a service: the advisory lock, the claim and the delete are on one connection, so a relay
//! that lost its lock can claim and delete nothing any more. That lock is all the relay needs: rows are not locked one by
//! one, which would write each of them once more, and no transaction stays open while the broker works, so the next
//! rows can be claimed before the last are confirmed.
//!
//! **Waking.** The relay is told after the commit and not by a NOTIFY inside of the transaction: Postgres lets transactions
//! that notify commit only one by one, over all databases of the server, each with its wait for the disk (ADR 0005).

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use contracts::{CloudEvent, Event, EventId, OrgId, Origin};
use diesel::{connection::SimpleConnection, dsl, prelude::*};
use kit::Ids;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{Db, Dedicated, Error, Inner, OfRows, probe::Probe, schema::outbox_events as table, signal::Signal};

/// How often the relay looks for a NOTIFY of another replica. Looking reads what the socket holds, about a microsecond;
/// libpq's socket cannot be awaited through diesel. Commits of the relay's own process wake it without this.
const LISTEN_INTERVAL: Duration = Duration::from_millis(5);

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
    let row = NewRow::new(ids, origin, sequence, event)?;
    let id = EventId::from_uuid(row.id);
    diesel::insert_into(table::table).values(row).execute(conn)?;
    Probe::note_events(conn);
    Ok(id)
}

/// Adds many events of one type, each with its origin and sequence, in their order and in one statement; otherwise as
/// [`append`].
pub fn append_all<E: Event>(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    events: impl IntoIterator<Item = (Origin, i64, E)>,
) -> Result<(), Error> {
    let rows = events.into_iter().map(|(origin, sequence, event)| NewRow::new(ids, &origin, sequence, &event));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let statement = OfRows::new(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, sequence, type, org_id, payload, headers, occurred_at) \
         SELECT id, aggregate_type, aggregate_id, sequence, type, org_id, payload, headers, occurred_at \
         FROM jsonb_populate_recordset(NULL::outbox_events, $1)",
        &rows,
    )?;
    statement.execute(conn)?;
    Probe::note_events(conn);
    Ok(())
}

#[derive(Insertable, Serialize)]
#[diesel(table_name = table)]
struct NewRow {
    id: Uuid,
    aggregate_type: &'static str,
    aggregate_id: String,
    sequence: i64,
    #[serde(rename = "type")]
    event_type: &'static str,
    org_id: Option<Uuid>,
    payload: Value,
    headers: Value,
    occurred_at: DateTime<Utc>,
}

impl NewRow {
    fn new<E: Event>(ids: &dyn Ids, origin: &Origin, sequence: i64, event: &E) -> Result<Self, Error> {
        let id = ids.uuid();
        let event = CloudEvent::new(EventId::from_uuid(id), origin, sequence, event)?;
        let headers = Headers { source: event.source, actor: event.actor, traceparent: event.traceparent };
        Ok(Self {
            id,
            aggregate_type: E::AGGREGATE,
            aggregate_id: event.subject,
            sequence,
            event_type: E::TYPE,
            org_id: event.org.map(OrgId::uuid),
            payload: event.data,
            headers: serde_json::to_value(headers)?,
            occurred_at: event.time,
        })
    }
}

/// A row that a relay has claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// Names the row for [`Session::confirm`].
    pub position: i64,
    /// What is to be published.
    pub event: CloudEvent,
}

/// The oldest `limit` rows in order, without those that are `in_hand`.
fn claim(conn: &mut PgConnection, in_hand: &[i64], limit: u32) -> Result<Vec<Claimed>, Error> {
    let rows: Vec<Row> = table::table
        .select(Row::as_select())
        .filter(table::position.ne_all(in_hand))
        .order(table::position)
        .limit(i64::from(limit))
        .load(conn)?;
    rows.into_iter().map(Claimed::try_from).collect()
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
        // The statements of a relay stay planned from when the outbox was a page long, and a scan of the whole table was
        // the cheapest; under load it becomes thousands of pages of rows that are gone.
        conn.run(|conn| conn.batch_execute("SET enable_seqscan = off").map_err(Error::from)).await?;
        conn.listen(&channel(self.inner.schema)).await?;
        let signal = std::sync::Arc::clone(&self.inner.signal);
        signal.set_relay_here(true);
        Ok(Some(Session { conn, signal, in_hand: BTreeSet::new() }))
    }
}

/// The relay's side of the outbox: the lock, and the connection that holds it. Claim, publish, [`confirm`](Self::confirm);
/// when a claim comes back empty, [`wait`](Self::wait). After an error drop it and ask for another.
#[derive(Debug)]
pub struct Session {
    conn: Dedicated,
    signal: std::sync::Arc<Signal>,
    /// Positions that were claimed and neither confirmed nor released.
    in_hand: BTreeSet<i64>,
}

impl Session {
    /// Claims the oldest `limit` events in order, besides those that were claimed before and are still in hand: until
    /// [`confirm`](Self::confirm) or [`release`](Self::release).
    pub async fn claim(&mut self, limit: u32) -> Result<Vec<Claimed>, Error> {
        let in_hand: Vec<_> = self.in_hand.iter().copied().collect();
        let claimed = self.conn.run(move |conn| claim(conn, &in_hand, limit)).await?;
        self.in_hand.extend(claimed.iter().map(|claimed| claimed.position));
        Ok(claimed)
    }

    /// The broker has these: they are gone when this returns.
    pub async fn confirm(&mut self, positions: Vec<i64>) -> Result<(), Error> {
        for position in &positions {
            self.in_hand.remove(position);
        }
        let delete = move |conn: &mut PgConnection| {
            diesel::delete(table::table.filter(table::position.eq_any(positions))).execute(conn)
        };
        self.conn.run(move |conn| Ok(delete(conn).map(drop)?)).await
    }

    /// Whatever is in hand will be claimed again.
    pub fn release(&mut self) {
        self.in_hand.clear();
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
