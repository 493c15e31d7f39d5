//! Housekeeping of the tables that every service has: rows whose time is over, partitions whose time is near.

use std::time::Duration;

use diesel::{PgConnection, RunQueryDsl, sql_types::Integer};
use kit::{CancellationToken, Task};

use crate::{Db, Error, idempotency, inbox};

const INTERVAL: Duration = Duration::from_hours(1);
/// Rows a transaction: few enough to be quick, enough to get ahead of any service.
const BATCH: usize = 5_000;
/// Three months of warning when nobody notices that this task fails.
const MONTHS_AHEAD: i32 = 3;

impl Db {
    /// Sweeps the inbox and the idempotency keys and makes the coming months' partitions, at the start and every hour.
    /// Replicas may do it at the same time; each service gives it to [`kit::Running::tasks`].
    pub fn upkeep(&self) -> Task {
        let db = self.clone();
        Task::new("db.upkeep", move |stop| async move {
            db.keep_up(&stop).await;
            Ok(())
        })
    }

    async fn keep_up(&self, stop: &CancellationToken) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Upkeep of the database failed; it will be tried again"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Does the upkeep once.
    pub async fn sweep(&self) -> Result<(), Error> {
        self.system("partitions").tx(|conn| ensure_partitions(conn, MONTHS_AHEAD)).await?;
        self.sweep_table("inbox_events", "received_at", inbox::KEPT_DAYS * 24).await?;
        self.sweep_table("idempotency_keys", "created_at", idempotency::KEPT_HOURS).await
    }

    async fn sweep_table(&self, table: &'static str, column: &'static str, kept_hours: i32) -> Result<(), Error> {
        loop {
            let swept = self.system("sweep").tx(move |conn| sweep(conn, table, column, kept_hours, BATCH)).await?;
            self.inner.pool.metrics.swept(table, swept);
            if swept < BATCH {
                return Ok(());
            }
        }
    }
}

/// Makes the partitions of all tables of the schema that are partitioned by month.
fn ensure_partitions(conn: &mut PgConnection, months_ahead: i32) -> Result<(), Error> {
    diesel::sql_query(
        "SELECT ensure_month_partitions(c.oid::regclass, $1) FROM pg_class c \
         WHERE c.relkind = 'p' AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace",
    )
    .bind::<Integer, _>(months_ahead)
    .execute(conn)?;
    Ok(())
}

/// Deletes up to `batch` rows that are older than `kept_hours` by the database's clock; gives how many. `table` and
/// `column` are names of our own. Rows that somebody holds wait for the next sweep.
fn sweep(conn: &mut PgConnection, table: &str, column: &str, kept_hours: i32, batch: usize) -> Result<usize, Error> {
    let delete = format!(
        "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} \
         WHERE {column} < now() - make_interval(hours => $1) LIMIT {batch} FOR UPDATE SKIP LOCKED))"
    );
    Ok(diesel::sql_query(delete).bind::<Integer, _>(kept_hours).execute(conn)?)
}
