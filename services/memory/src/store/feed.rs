//! What changed in `entries`, for whoever follows it.
//!
//! A transaction's id is given out at its first write, so ids commit out of order: what is below the oldest running
//! transaction is settled, and the rest is read again until it is.

use contracts::OrgId;
use db::diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{self, BigInt, Bool, Integer, Nullable},
};
use uuid::Uuid;

use super::entries;
use crate::{
    domain::entry::{Entry, EntryId},
    vectors::Watermark,
};

/// Where a reader is within one pass: the last row's transaction and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    changed: i64,
    id: Uuid,
}

impl Cursor {
    /// Before everything that is not contained in `watermark`.
    pub fn at(watermark: Watermark) -> Self {
        Self { changed: i64::try_from(watermark.0).unwrap_or(i64::MAX), id: Uuid::nil() }
    }
}

/// An entry as it is now; `None` when it is gone.
#[derive(Debug)]
pub struct Changed {
    pub org: OrgId,
    pub id: EntryId,
    pub entry: Option<Entry>,
    /// The vector of its present text in the space that was asked for.
    pub vector: Option<Vec<f32>>,
    pub cursor: Cursor,
}

/// Everything below is settled: no transaction with a smaller id will commit any more.
pub fn settled(conn: &mut PgConnection) -> QueryResult<Watermark> {
    let row: Settled =
        sql_query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS settled").get_result(conn)?;
    Ok(Watermark(u64::try_from(row.settled).unwrap_or_default()))
}

#[derive(QueryableByName)]
struct Settled {
    #[diesel(sql_type = BigInt)]
    settled: i64,
}

/// Changes of one organization after `cursor`, at most `limit`.
pub fn of_org(conn: &mut PgConnection, org: OrgId, cursor: Cursor, limit: i64) -> QueryResult<Vec<Changed>> {
    let rows: Vec<Row> = sql_query(
        "SELECT e.*, e.gone_at IS NOT NULL AS gone, e.changed::text::bigint AS at, NULL::bytea AS vector \
         FROM entries e WHERE e.org_id = $4 AND (e.changed, e.id) > ($1::text::xid8, $2) \
         ORDER BY e.changed, e.id LIMIT $3",
    )
    .bind::<BigInt, _>(cursor.changed)
    .bind::<sql_types::Uuid, _>(cursor.id)
    .bind::<BigInt, _>(limit)
    .bind::<sql_types::Uuid, _>(org.uuid())
    .load(conn)?;
    rows.into_iter().map(Changed::try_from).collect()
}

/// Changes of all organizations after `cursor` with vectors of a space, at most `limit`. As the system role.
pub fn of_space(conn: &mut PgConnection, space: i32, cursor: Cursor, limit: i64) -> QueryResult<Vec<Changed>> {
    let rows: Vec<Row> = sql_query(
        "SELECT e.*, e.gone_at IS NOT NULL AS gone, e.changed::text::bigint AS at, v.vector FROM entries e \
         LEFT JOIN vectors v ON v.space_id = $4 AND v.entry_id = e.id AND v.revision = e.revision \
         WHERE (e.changed, e.id) > ($1::text::xid8, $2) ORDER BY e.changed, e.id LIMIT $3",
    )
    .bind::<BigInt, _>(cursor.changed)
    .bind::<sql_types::Uuid, _>(cursor.id)
    .bind::<BigInt, _>(limit)
    .bind::<Integer, _>(space)
    .load(conn)?;
    rows.into_iter().map(Changed::try_from).collect()
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(embed)]
    entry: entries::Row,
    #[diesel(sql_type = Bool)]
    gone: bool,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Nullable<sql_types::Bytea>)]
    vector: Option<Vec<u8>>,
}

impl TryFrom<Row> for Changed {
    type Error = db::diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let cursor = Cursor { changed: row.at, id: row.entry.id };
        let entry = Entry::try_from(row.entry)?;
        Ok(Self {
            org: entry.attributes.org,
            id: entry.id,
            entry: (!row.gone).then_some(entry),
            vector: row.vector.as_deref().map(super::vectors::numbers),
            cursor,
        })
    }
}
