//! Rows of `extractions`: turns that were given to take facts from, and what came of it.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use contracts::{ExtractionId, MemoryId, OrgId, UserId};
use db::diesel::{
    OptionalExtension as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Array, BigInt, Bool, Date, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use super::unreadable;
use crate::domain::extraction::{Extraction, Given, Status};

/// Turns from `from` on that wait.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: ExtractionId,
    pub org: OrgId,
    pub by: UserId,
    pub given: Given,
    pub from: i64,
    /// How often these turns were begun with, this time included.
    pub attempts: i32,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    org_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Array<SqlUuid>)]
    memory_ids: Vec<Uuid>,
    #[diesel(sql_type = SqlUuid)]
    created_by: Uuid,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Extraction {
    type Error = db::diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == row.status);
        Ok(Self {
            id: ExtractionId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            subject: row.subject,
            status: status.ok_or_else(|| unreadable("extractions.status"))?,
            memories: row.memory_ids.into_iter().map(MemoryId::from_uuid).collect(),
            created_by: UserId::from_uuid(row.created_by),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// One that waits, with what was given.
pub fn insert(conn: &mut PgConnection, extraction: &Extraction, given: &Given) -> Result<(), db::Error> {
    let given = serde_json::to_value(given)?;
    sql_query(
        "INSERT INTO extractions (id, org_id, subject, status, given, created_by, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind::<SqlUuid, _>(extraction.id.uuid())
    .bind::<SqlUuid, _>(extraction.org.uuid())
    .bind::<Nullable<Text>, _>(&extraction.subject)
    .bind::<Text, _>(extraction.status.as_str())
    .bind::<Jsonb, _>(given)
    .bind::<SqlUuid, _>(extraction.created_by.uuid())
    .bind::<Timestamptz, _>(extraction.created_at)
    .bind::<Timestamptz, _>(extraction.updated_at)
    .execute(conn)?;
    Ok(())
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, id: ExtractionId) -> QueryResult<Option<Extraction>> {
    let row: Option<Row> = sql_query("SELECT * FROM extractions WHERE org_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(org.uuid())
        .bind::<SqlUuid, _>(id.uuid())
        .get_result(conn)
        .optional()?;
    row.map(Extraction::try_from).transpose()
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    org_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    created_by: Uuid,
    #[diesel(sql_type = Jsonb)]
    given: Value,
    #[diesel(sql_type = BigInt)]
    next_turn: i64,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Takes what has waited longest, of organizations with tokens left for `today`. Somebody else takes it after `lease`, should
/// this process die. As the system role.
pub fn claim(conn: &mut PgConnection, today: NaiveDate, lease: Duration) -> Result<Option<Job>, db::Error> {
    let due: Option<Due> = sql_query(
        "WITH due AS (SELECT id FROM extractions e WHERE status = 'waiting' AND not_before <= now() AND NOT EXISTS \
                 (SELECT FROM extraction_usage u WHERE u.org_id = e.org_id AND u.day = $1 AND u.exhausted) \
             ORDER BY not_before LIMIT 1 FOR UPDATE OF e SKIP LOCKED) \
         UPDATE extractions e SET attempts = attempts + 1, not_before = now() + make_interval(secs => $2) \
         FROM due WHERE e.id = due.id RETURNING e.id, e.org_id, e.created_by, e.given, e.next_turn, e.attempts",
    )
    .bind::<Date, _>(today)
    .bind::<Double, _>(lease.as_secs_f64())
    .get_result(conn)
    .optional()?;
    let Some(due) = due else { return Ok(None) };
    Ok(Some(Job {
        id: ExtractionId::from_uuid(due.id),
        org: OrgId::from_uuid(due.org_id),
        by: UserId::from_uuid(due.created_by),
        given: serde_json::from_value(due.given)?,
        from: due.next_turn,
        attempts: due.attempts,
    }))
}

/// Ends a job at the turn `to`, unless it was forgotten or is somebody else's by now; `false` then. What comes after waits on,
/// unless it `failed`.
pub fn advance(conn: &mut PgConnection, job: &Job, to: i64, failed: bool, now: DateTime<Utc>) -> QueryResult<bool> {
    let end = i64::try_from(job.given.turns.len()).unwrap_or(i64::MAX);
    let status = match (failed, to < end) {
        (true, _) => Status::Failed,
        (false, true) => Status::Waiting,
        (false, false) => Status::Done,
    };
    let rows = sql_query(
        "UPDATE extractions SET status = $5, next_turn = $6, attempts = 0, not_before = now(), updated_at = $7, \
             given = CASE WHEN $5 = 'waiting' THEN given END \
         WHERE org_id = $1 AND id = $2 AND next_turn = $3 AND attempts = $4 AND status = 'waiting'",
    )
    .bind::<SqlUuid, _>(job.org.uuid())
    .bind::<SqlUuid, _>(job.id.uuid())
    .bind::<BigInt, _>(job.from)
    .bind::<Integer, _>(job.attempts)
    .bind::<Text, _>(status.as_str())
    .bind::<BigInt, _>(to)
    .bind::<Timestamptz, _>(now)
    .execute(conn)?;
    Ok(rows > 0)
}

/// Adds to what came of it.
pub fn add_memories(conn: &mut PgConnection, job: &Job, memories: &[MemoryId]) -> QueryResult<()> {
    sql_query("UPDATE extractions SET memory_ids = memory_ids || $3 WHERE org_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(job.org.uuid())
        .bind::<SqlUuid, _>(job.id.uuid())
        .bind::<Array<SqlUuid>, _>(memories.iter().map(|memory| memory.uuid()).collect::<Vec<_>>())
        .execute(conn)
        .map(drop)
}

/// Has a job begun with again after `pause`. Unless it `counts`, as if it had not been.
pub fn postpone(conn: &mut PgConnection, job: &Job, pause: Duration, counts: bool) -> QueryResult<()> {
    sql_query(
        "UPDATE extractions SET not_before = now() + make_interval(secs => $5), attempts = attempts - (NOT $6)::integer \
         WHERE org_id = $1 AND id = $2 AND next_turn = $3 AND attempts = $4 AND status = 'waiting'",
    )
    .bind::<SqlUuid, _>(job.org.uuid())
    .bind::<SqlUuid, _>(job.id.uuid())
    .bind::<BigInt, _>(job.from)
    .bind::<Integer, _>(job.attempts)
    .bind::<Double, _>(pause.as_secs_f64())
    .bind::<Bool, _>(counts)
    .execute(conn)
    .map(drop)
}

/// Deletes up to `limit` that have been over since before `before`; whether there may be more. As the system role.
pub fn purge(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<bool> {
    let rows = sql_query(
        "DELETE FROM extractions WHERE id IN (SELECT id FROM extractions \
             WHERE status <> 'waiting' AND updated_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)?;
    Ok(i64::try_from(rows).is_ok_and(|rows| rows == limit))
}
