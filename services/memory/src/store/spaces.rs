//! Rows of `spaces`: embedding models. As the system role, but for reading.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use db::diesel::{self, prelude::*, sql_query, sql_types};

use super::{schema::spaces, unreadable};
use crate::{
    domain::space::{EmbeddingModel, SpaceState},
    vectors::Space,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = spaces)]
struct Row {
    id: i32,
    model: String,
    dimension: i32,
    state: String,
}

impl TryFrom<Row> for (EmbeddingModel, SpaceState) {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let dimension = usize::try_from(row.dimension).ok().and_then(NonZeroUsize::new);
        let dimension = dimension.ok_or_else(|| unreadable("spaces.dimension"))?;
        let state = SpaceState::ALL.into_iter().find(|state| state.as_str() == row.state);
        let model = EmbeddingModel { space: Space { id: row.id, dimension }, name: row.model };
        Ok((model, state.ok_or_else(|| unreadable("spaces.state"))?))
    }
}

/// Embedding models that are in use or being prepared.
pub fn live(conn: &mut PgConnection) -> QueryResult<Vec<(EmbeddingModel, SpaceState)>> {
    let rows: Vec<Row> = spaces::table
        .filter(spaces::state.ne(SpaceState::Retired.as_str()))
        .order(spaces::id)
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Makes sure that a model is active, or else being prepared; any other one that was being prepared is given up.
///
/// Every entry that is stored after this was committed is queued for the model; [`queue`] is for those before.
pub fn prepare(conn: &mut PgConnection, model: &str, dimension: NonZeroUsize, now: DateTime<Utc>) -> QueryResult<()> {
    let is_this = |known: &EmbeddingModel| known.name == model && known.space.dimension == dimension;
    let length = i32::try_from(dimension.get()).unwrap_or(i32::MAX);
    let others = spaces::table
        .filter(spaces::state.eq(SpaceState::Building.as_str()))
        .filter(spaces::model.ne(model).or(spaces::dimension.ne(length)));
    diesel::update(others).set(spaces::state.eq(SpaceState::Retired.as_str())).execute(conn)?;
    if live(conn)?.iter().any(|(known, _)| is_this(known)) {
        return Ok(());
    }
    // Whoever stores entries reads this table in the same statement, and so holds a lock on it until the entries can be
    // seen. Nobody who has not seen the model can still be at work when this one is had, and be missed by `queue`.
    // Who comes meanwhile waits behind, and not for long.
    sql_query("SET LOCAL lock_timeout = '1s'").execute(conn)?;
    sql_query("LOCK TABLE spaces IN ACCESS EXCLUSIVE MODE").execute(conn)?;
    let known = live(conn)?;
    if known.iter().any(|(known, _)| is_this(known)) {
        return Ok(());
    }
    let first = !known.iter().any(|(_, state)| *state == SpaceState::Active);
    let state = if first { SpaceState::Active } else { SpaceState::Building };
    diesel::insert_into(spaces::table)
        .values((
            spaces::model.eq(model),
            spaces::dimension.eq(length),
            spaces::state.eq(state.as_str()),
            spaces::created_at.eq(now),
            spaces::activated_at.eq(first.then_some(now)),
            spaces::queued.eq(false),
        ))
        .on_conflict((spaces::model, spaces::dimension))
        .do_update()
        .set((
            spaces::state.eq(state.as_str()),
            spaces::activated_at.eq(first.then_some(now)),
            spaces::queued.eq(false),
        ))
        .execute(conn)
        .map(drop)
}

/// Queues every entry that lacks a vector of a model in use, for models of which that was not done yet.
pub fn queue(conn: &mut PgConnection) -> QueryResult<()> {
    // All that is remembered is looked at, which holds up nobody.
    sql_query("SET LOCAL statement_timeout = '1h'").execute(conn)?;
    sql_query(
        "WITH fresh AS (UPDATE spaces SET queued = true WHERE NOT queued AND state <> 'retired' RETURNING id) \
         INSERT INTO embedding_jobs (space_id, entry_id, org_id) \
         SELECT s.id, e.id, e.org_id FROM entries e CROSS JOIN fresh s \
         WHERE e.gone_at IS NULL AND NOT EXISTS \
             (SELECT FROM vectors v WHERE v.space_id = s.id AND v.entry_id = e.id AND v.revision = e.revision) \
         ON CONFLICT DO NOTHING",
    )
    .execute(conn)
    .map(drop)
}

/// Whether no text waits for a vector of this model, or to be queued for one.
pub fn is_complete(conn: &mut PgConnection, space: Space) -> QueryResult<bool> {
    let sql = "SELECT NOT queued OR EXISTS (SELECT FROM embedding_jobs WHERE space_id = $1) AS waiting \
               FROM spaces WHERE id = $1";
    let waiting: Waiting = sql_query(sql).bind::<sql_types::Integer, _>(space.id).get_result(conn)?;
    Ok(!waiting.waiting)
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = sql_types::Bool)]
    waiting: bool,
}

/// Puts the model that was being prepared in the place of the active one, at once for all.
pub fn activate(conn: &mut PgConnection, space: Space, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(spaces::table.filter(spaces::state.eq(SpaceState::Active.as_str())))
        .set(spaces::state.eq(SpaceState::Retired.as_str()))
        .execute(conn)?;
    diesel::update(spaces::table.find(space.id))
        .set((spaces::state.eq(SpaceState::Active.as_str()), spaces::activated_at.eq(Some(now))))
        .execute(conn)
        .map(drop)
}
