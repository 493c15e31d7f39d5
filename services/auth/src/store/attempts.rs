//! Rows of `attempts`. For system transactions: nobody is signed in yet.

use chrono::{DateTime, Utc};
use db::diesel::{
    self,
    prelude::*,
    sql_types::{Array, BigInt, Bytea, Timestamptz},
};

use super::schema::attempts;

/// The key of a counter.
pub type Key = [u8; 32];

/// A counter after it was raised.
#[derive(QueryableByName, Debug)]
pub struct Raised {
    #[diesel(sql_type = Bytea)]
    pub bucket: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    pub made: i64,
    #[diesel(sql_type = Timestamptz)]
    pub resets_at: DateTime<Utc>,
}

/// Raises counters by one and gives them, in one statement, so that of any number of attempts at once no two read the
/// same number. Each comes with the end of its window, should one begin. The rows are taken in the order of their keys:
/// two attempts that share two counters cannot wait for each other.
pub fn raise(
    conn: &mut PgConnection,
    counters: &[(Key, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> QueryResult<Vec<Raised>> {
    let (keys, ends): (Vec<&[u8]>, Vec<DateTime<Utc>>) =
        counters.iter().map(|(key, end)| (key.as_slice(), *end)).unzip();
    diesel::sql_query(
        "INSERT INTO attempts AS a (bucket, made, resets_at)
        SELECT bucket, 1, resets_at FROM unnest($1, $2) AS new (bucket, resets_at) ORDER BY bucket
        ON CONFLICT (bucket) DO UPDATE
        SET made = CASE WHEN a.resets_at <= $3 THEN 1 ELSE a.made + 1 END,
            resets_at = CASE WHEN a.resets_at <= $3 THEN excluded.resets_at ELSE a.resets_at END
        RETURNING bucket, made, resets_at",
    )
    .bind::<Array<Bytea>, _>(keys)
    .bind::<Array<Timestamptz>, _>(ends)
    .bind::<Timestamptz, _>(now)
    .get_results(conn)
}

/// Takes an attempt back that turned out to be the owner's.
pub fn lower(conn: &mut PgConnection, key: &Key) -> QueryResult<()> {
    diesel::update(attempts::table.find(key.as_slice()))
        .filter(attempts::made.gt(0))
        .set(attempts::made.eq(attempts::made - 1))
        .execute(conn)?;
    Ok(())
}

/// Empties a counter.
pub fn clear(conn: &mut PgConnection, key: &Key) -> QueryResult<()> {
    diesel::delete(attempts::table.find(key.as_slice())).execute(conn)?;
    Ok(())
}

/// Deletes counters whose window is over. Gives the number.
pub fn delete_over(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(attempts::table.filter(attempts::resets_at.le(now))).execute(conn)
}
