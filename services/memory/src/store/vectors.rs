//! Rows of `vectors` and `embedding_jobs`. As the system role.

use std::time::Duration;

use contracts::OrgId;
use db::diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Array, BigInt, Double, Integer, Jsonb, Text, Uuid as SqlUuid},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{domain::entry::EntryId, vectors::Space};

/// A text that waits for its vector.
#[derive(Clone, Debug)]
pub struct Job {
    pub entry: EntryId,
    pub org: OrgId,
    pub revision: i32,
    pub text: String,
    pub reply_to: String,
    /// How often it was tried, this time included.
    pub attempts: i32,
}

#[derive(QueryableByName)]
struct JobRow {
    #[diesel(sql_type = SqlUuid)]
    entry_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    org_id: Uuid,
    #[diesel(sql_type = Integer)]
    revision: i32,
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = Text)]
    reply_to: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Takes up to `limit` jobs that are due, the oldest first. They are due again after `lease`, should this process die.
pub fn claim(conn: &mut PgConnection, space: Space, limit: i64, lease: Duration) -> QueryResult<Vec<Job>> {
    let rows: Vec<JobRow> = sql_query(
        "WITH due AS (SELECT entry_id FROM embedding_jobs WHERE space_id = $1 AND not_before <= now() \
             ORDER BY not_before LIMIT $2 FOR UPDATE SKIP LOCKED), \
         taken AS (UPDATE embedding_jobs j SET attempts = attempts + 1, not_before = now() + make_interval(secs => $3) \
             FROM due WHERE j.space_id = $1 AND j.entry_id = due.entry_id RETURNING j.entry_id, j.attempts) \
         SELECT e.id AS entry_id, e.org_id, e.revision, e.text, e.reply_to, t.attempts \
         FROM taken t JOIN entries e ON e.id = t.entry_id",
    )
    .bind::<Integer, _>(space.id)
    .bind::<BigInt, _>(limit)
    .bind::<Double, _>(lease.as_secs_f64())
    .load(conn)?;
    let job = |row: JobRow| Job {
        entry: EntryId(row.entry_id),
        org: OrgId::from_uuid(row.org_id),
        revision: row.revision,
        text: row.text,
        reply_to: row.reply_to,
        attempts: row.attempts,
    };
    Ok(rows.into_iter().map(job).collect())
}

/// Has jobs tried again after `pause`.
pub fn postpone(conn: &mut PgConnection, space: Space, entries: &[EntryId], pause: Duration) -> QueryResult<()> {
    sql_query(
        "UPDATE embedding_jobs SET not_before = now() + make_interval(secs => $3) \
         WHERE space_id = $1 AND entry_id = ANY($2)",
    )
    .bind::<Integer, _>(space.id)
    .bind::<Array<SqlUuid>, _>(uuids(entries))
    .bind::<Double, _>(pause.as_secs_f64())
    .execute(conn)
    .map(drop)
}

/// Gives jobs up: these texts are found by their words only.
pub fn give_up(conn: &mut PgConnection, space: Space, entries: &[EntryId]) -> QueryResult<()> {
    sql_query("DELETE FROM embedding_jobs WHERE space_id = $1 AND entry_id = ANY($2)")
        .bind::<Integer, _>(space.id)
        .bind::<Array<SqlUuid>, _>(uuids(entries))
        .execute(conn)
        .map(drop)
}

#[derive(Serialize)]
struct Row {
    entry_id: Uuid,
    org_id: Uuid,
    revision: i32,
    /// As Postgres writes bytes in text.
    vector: String,
}

/// Stores the vectors of jobs whose text is still the same, and ends those jobs. The entries count as changed, so that
/// every index learns of the vector. A text that changed meanwhile is due at once.
pub fn finish(conn: &mut PgConnection, space: Space, done: &[(Job, Vec<f32>)]) -> Result<(), db::Error> {
    let rows: Vec<_> = done
        .iter()
        .map(|(job, vector)| Row {
            entry_id: job.entry.0,
            org_id: job.org.uuid(),
            revision: job.revision,
            vector: bytes(vector),
        })
        .collect();
    let rows = serde_json::to_value(rows)?;
    sql_query(
        "WITH given AS (SELECT g.* FROM jsonb_to_recordset($2) AS g (entry_id uuid, org_id uuid, revision integer, vector text)), \
         same AS (UPDATE entries e SET revision = e.revision FROM given g \
             WHERE e.id = g.entry_id AND e.revision = g.revision AND e.gone_at IS NULL RETURNING e.id), \
         stored AS (INSERT INTO vectors (space_id, entry_id, org_id, revision, vector) \
             SELECT $1, g.entry_id, g.org_id, g.revision, g.vector::bytea FROM given g JOIN same ON same.id = g.entry_id \
             ON CONFLICT (space_id, entry_id) DO UPDATE SET revision = excluded.revision, vector = excluded.vector), \
         moved AS (UPDATE embedding_jobs j SET not_before = now(), attempts = 0 FROM given g \
             WHERE j.space_id = $1 AND j.entry_id = g.entry_id AND NOT EXISTS (SELECT FROM same WHERE same.id = g.entry_id)) \
         DELETE FROM embedding_jobs j USING same WHERE j.space_id = $1 AND j.entry_id = same.id",
    )
    .bind::<Integer, _>(space.id)
    .bind::<Jsonb, _>(rows)
    .execute(conn)?;
    Ok(())
}

fn uuids(entries: &[EntryId]) -> Vec<Uuid> {
    entries.iter().map(|entry| entry.0).collect()
}

/// `\x` and the floats' bytes, little-endian, in hexadecimal.
fn bytes(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    format!("\\x{}", hex::encode(bytes))
}

/// The floats of a column.
pub fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|four| f32::from_le_bytes(*four)).collect()
}
