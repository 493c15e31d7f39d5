//! Entries that are gone for so long that every index which is in use knows.

use chrono::{DateTime, Utc};
use db::diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Timestamptz},
};

use crate::vectors::Watermark;

#[derive(QueryableByName)]
struct UpTo {
    #[diesel(sql_type = BigInt)]
    up_to: i64,
}

/// An index that does not contain everything up to here may hold entries that nobody will tell it are gone.
pub fn up_to(conn: &mut PgConnection) -> QueryResult<Watermark> {
    let row: UpTo = sql_query("SELECT coalesce(max(up_to), 0)::bigint AS up_to FROM purges").get_result(conn)?;
    Ok(Watermark(u64::try_from(row.up_to).unwrap_or_default()))
}

/// Deletes up to `limit` entries that were gone before `before`; whether there were any.
pub fn purge(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<bool> {
    sql_query(
        "WITH old AS (SELECT id FROM entries WHERE gone_at < $1 ORDER BY gone_at LIMIT $2 FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM entries e USING old WHERE e.id = old.id RETURNING e.changed) \
         INSERT INTO purges (up_to) SELECT max(changed::text::bigint) + 1 FROM gone HAVING count(*) > 0 \
         ON CONFLICT (one) DO UPDATE SET up_to = greatest(purges.up_to, excluded.up_to)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(conn)
    .map(|rows| rows > 0)
}
