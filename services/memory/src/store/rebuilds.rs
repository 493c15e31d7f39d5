//! Rows of `rebuilds`. As the system role.

use db::diesel::{
    self, OptionalExtension as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Nullable, Text},
};

use super::unreadable;
use crate::{
    domain::rebuild::{Rebuild, RebuildState},
    vectors::Space,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    vectors_done: i64,
    #[diesel(sql_type = BigInt)]
    vectors_total: i64,
    #[diesel(sql_type = Nullable<Text>)]
    error: Option<String>,
}

impl TryFrom<Row> for Rebuild {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let Row { id, state, vectors_done, vectors_total, error } = row;
        let state = RebuildState::ALL.into_iter().find(|known| known.as_str() == state);
        let state = state.ok_or_else(|| unreadable("rebuilds.state"))?;
        Ok(Self { id, state, vectors_done, vectors_total, error })
    }
}

/// Asks for one, unless one is under way; gives the one that is.
pub fn request(conn: &mut PgConnection) -> QueryResult<Rebuild> {
    // The update makes the row visible that another one wrote meanwhile.
    let row: Row = sql_query(
        "INSERT INTO rebuilds DEFAULT VALUES \
         ON CONFLICT ((true)) WHERE state IN ('waiting', 'running') DO UPDATE SET state = rebuilds.state RETURNING *",
    )
    .get_result(conn)?;
    row.try_into()
}

/// How far it is.
pub fn find(conn: &mut PgConnection, id: i64) -> QueryResult<Option<Rebuild>> {
    let row: Option<Row> =
        sql_query("SELECT * FROM rebuilds WHERE id = $1").bind::<BigInt, _>(id).get_result(conn).optional()?;
    row.map(TryInto::try_into).transpose()
}

/// Takes up the one that waits, or that a process which has ended left behind.
pub fn take(conn: &mut PgConnection, space: Space) -> QueryResult<Option<Rebuild>> {
    let row: Option<Row> = sql_query(
        "UPDATE rebuilds SET state = 'running', vectors_done = 0, \
             vectors_total = (SELECT count(*) FROM vectors WHERE space_id = $1) \
         WHERE state IN ('waiting', 'running') RETURNING *",
    )
    .bind::<diesel::sql_types::Integer, _>(space.id)
    .get_result(conn)
    .optional()?;
    row.map(TryInto::try_into).transpose()
}

/// Writes down how far it is.
pub fn note(conn: &mut PgConnection, id: i64, vectors_done: i64) -> QueryResult<()> {
    sql_query("UPDATE rebuilds SET vectors_done = $2 WHERE id = $1")
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(vectors_done)
        .execute(conn)
        .map(drop)
}

/// It is over; `error` says why it failed.
pub fn end(conn: &mut PgConnection, id: i64, error: Option<&str>) -> QueryResult<()> {
    let state = if error.is_some() { RebuildState::Failed } else { RebuildState::Done };
    sql_query("UPDATE rebuilds SET state = $2, error = $3, ended_at = now() WHERE id = $1")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(state.as_str())
        .bind::<Nullable<Text>, _>(error)
        .execute(conn)
        .map(drop)
}
