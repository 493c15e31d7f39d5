//! Rows of `extraction_usage`: what language models cost an organization on a day, in tokens.

use chrono::NaiveDate;
use contracts::OrgId;
use db::diesel::{
    PgConnection, QueryResult, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Date, Uuid as SqlUuid},
};

/// Takes tokens out of what is left of `limit`; `false` when that is not enough.
pub fn reserve(conn: &mut PgConnection, org: OrgId, day: NaiveDate, tokens: i64, limit: i64) -> QueryResult<bool> {
    let rows = sql_query(
        "INSERT INTO extraction_usage AS u (org_id, day, tokens) SELECT $1, $2, $3 WHERE $3 <= $4 \
         ON CONFLICT (org_id, day) DO UPDATE SET tokens = u.tokens + excluded.tokens \
         WHERE u.tokens + excluded.tokens <= $4",
    )
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<Date, _>(day)
    .bind::<BigInt, _>(tokens)
    .bind::<BigInt, _>(limit)
    .execute(conn)?;
    Ok(rows > 0)
}

/// Puts what was used in the place of what was reserved.
pub fn settle(conn: &mut PgConnection, org: OrgId, day: NaiveDate, reserved: i64, used: i64) -> QueryResult<()> {
    sql_query("UPDATE extraction_usage SET tokens = greatest(0, tokens - $3 + $4) WHERE org_id = $1 AND day = $2")
        .bind::<SqlUuid, _>(org.uuid())
        .bind::<Date, _>(day)
        .bind::<BigInt, _>(reserved)
        .bind::<BigInt, _>(used)
        .execute(conn)
        .map(drop)
}

/// Lets what waits wait for the next day.
pub fn exhaust(conn: &mut PgConnection, org: OrgId, day: NaiveDate) -> QueryResult<()> {
    sql_query(
        "INSERT INTO extraction_usage (org_id, day, tokens, exhausted) VALUES ($1, $2, 0, true) \
         ON CONFLICT (org_id, day) DO UPDATE SET exhausted = true",
    )
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<Date, _>(day)
    .execute(conn)
    .map(drop)
}
