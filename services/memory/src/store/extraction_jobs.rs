//! Rows of `extraction_jobs`: sessions with turns that facts are still to be taken from.

use std::time::Duration;

use chrono::NaiveDate;
use contracts::{MemorySessionId, OrgId};
use db::diesel::{
    OptionalExtension as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Bool, Date, Double, Integer, Uuid as SqlUuid},
};
use uuid::Uuid;

/// A session whose turns from `from` on wait.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub org: OrgId,
    pub session: MemorySessionId,
    pub from: i64,
    /// How often these turns were begun with, this time included.
    pub attempts: i32,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    org_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    session_id: Uuid,
    #[diesel(sql_type = BigInt)]
    from_position: i64,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Has facts taken from the turns of a session from `from` on, after `pause`; if earlier ones wait already, with them. In a
/// transaction that has locked the session.
pub fn enqueue(
    conn: &mut PgConnection,
    org: OrgId,
    session: MemorySessionId,
    from: i64,
    pause: Duration,
) -> QueryResult<()> {
    sql_query(
        "INSERT INTO extraction_jobs (session_id, org_id, from_position, not_before) \
         VALUES ($1, $2, $3, now() + make_interval(secs => $4)) ON CONFLICT (session_id) DO NOTHING",
    )
    .bind::<SqlUuid, _>(session.uuid())
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<BigInt, _>(from)
    .bind::<Double, _>(pause.as_secs_f64())
    .execute(conn)
    .map(drop)
}

/// Takes the session that has waited longest, of organizations with tokens left for `today`. Somebody else takes it after
/// `lease`, should this process die. As the system role.
pub fn claim(conn: &mut PgConnection, today: NaiveDate, lease: Duration) -> QueryResult<Option<Job>> {
    let row: Option<Row> = sql_query(
        "WITH due AS (SELECT session_id FROM extraction_jobs j WHERE not_before <= now() AND NOT EXISTS \
                 (SELECT FROM extraction_usage u WHERE u.org_id = j.org_id AND u.day = $1 AND u.exhausted) \
             ORDER BY not_before LIMIT 1 FOR UPDATE OF j SKIP LOCKED) \
         UPDATE extraction_jobs j SET attempts = attempts + 1, not_before = now() + make_interval(secs => $2) \
         FROM due WHERE j.session_id = due.session_id RETURNING j.org_id, j.session_id, j.from_position, j.attempts",
    )
    .bind::<Date, _>(today)
    .bind::<Double, _>(lease.as_secs_f64())
    .get_result(conn)
    .optional()?;
    let job = |row: Row| Job {
        org: OrgId::from_uuid(row.org_id),
        session: MemorySessionId::from_uuid(row.session_id),
        from: row.from_position,
        attempts: row.attempts,
    };
    Ok(row.map(job))
}

/// Ends a job at the turn `to`, unless it is somebody else's by now; `false` then. What comes after waits on. In a transaction
/// that has locked the session, whose turns end before `end`.
pub fn advance(conn: &mut PgConnection, job: Job, to: i64, end: i64) -> QueryResult<bool> {
    let sql = if to < end {
        "UPDATE extraction_jobs SET from_position = $5, attempts = 0, not_before = now() \
         WHERE org_id = $1 AND session_id = $2 AND from_position = $3 AND attempts = $4"
    } else {
        "DELETE FROM extraction_jobs \
         WHERE org_id = $1 AND session_id = $2 AND from_position = $3 AND attempts = $4 AND $5 >= from_position"
    };
    let rows = sql_query(sql)
        .bind::<SqlUuid, _>(job.org.uuid())
        .bind::<SqlUuid, _>(job.session.uuid())
        .bind::<BigInt, _>(job.from)
        .bind::<Integer, _>(job.attempts)
        .bind::<BigInt, _>(to)
        .execute(conn)?;
    Ok(rows > 0)
}

/// Has a job begun with again after `pause`. Unless it `counts`, as if it had not been.
pub fn postpone(conn: &mut PgConnection, job: Job, pause: Duration, counts: bool) -> QueryResult<()> {
    sql_query(
        "UPDATE extraction_jobs SET not_before = now() + make_interval(secs => $5), \
             attempts = attempts - (NOT $6)::integer \
         WHERE org_id = $1 AND session_id = $2 AND from_position = $3 AND attempts = $4",
    )
    .bind::<SqlUuid, _>(job.org.uuid())
    .bind::<SqlUuid, _>(job.session.uuid())
    .bind::<BigInt, _>(job.from)
    .bind::<Integer, _>(job.attempts)
    .bind::<Double, _>(pause.as_secs_f64())
    .bind::<Bool, _>(counts)
    .execute(conn)
    .map(drop)
}
