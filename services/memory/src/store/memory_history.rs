//! Rows of `memory_history`.

use chrono::{DateTime, Utc};
use contracts::{MemoryId, OrgId, UserId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::{schema::memory_history, unreadable};
use crate::domain::memory::{Change, Turn};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = memory_history)]
struct Row {
    memory_id: Uuid,
    version: i64,
    org_id: Uuid,
    change: String,
    old_text: Option<String>,
    new_text: Option<String>,
    actor_id: Option<Uuid>,
    at: DateTime<Utc>,
}

pub fn insert(conn: &mut PgConnection, org: OrgId, id: MemoryId, turn: &Turn) -> QueryResult<()> {
    let row = Row {
        memory_id: id.uuid(),
        version: turn.version,
        org_id: org.uuid(),
        change: turn.change.as_str().to_owned(),
        old_text: turn.old_text.clone(),
        new_text: turn.new_text.clone(),
        actor_id: turn.actor.map(UserId::uuid),
        at: turn.at,
    };
    diesel::insert_into(memory_history::table).values(row).execute(conn).map(drop)
}

/// What became of a memory, the oldest first, after `after`, at most `limit`.
pub fn list(
    conn: &mut PgConnection,
    org: OrgId,
    id: MemoryId,
    after: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Turn>> {
    let rows: Vec<Row> = memory_history::table
        .filter(memory_history::org_id.eq(org.uuid()))
        .filter(memory_history::memory_id.eq(id.uuid()))
        .filter(memory_history::version.gt(after.unwrap_or(0)))
        .order(memory_history::version)
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    let turn = |row: Row| {
        let change = Change::ALL.into_iter().find(|change| change.as_str() == row.change);
        Ok(Turn {
            version: row.version,
            change: change.ok_or_else(|| unreadable("memory_history.change"))?,
            old_text: row.old_text,
            new_text: row.new_text,
            actor: row.actor_id.map(UserId::from_uuid),
            at: row.at,
        })
    };
    rows.into_iter().map(turn).collect()
}

/// Takes the texts out of the history of memories that are forgotten.
pub fn blank(conn: &mut PgConnection, org: OrgId, ids: &[MemoryId]) -> QueryResult<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows = memory_history::table
        .filter(memory_history::org_id.eq(org.uuid()))
        .filter(memory_history::memory_id.eq_any(ids));
    let nothing = (memory_history::old_text.eq(None::<String>), memory_history::new_text.eq(None::<String>));
    diesel::update(rows).set(nothing).execute(conn).map(drop)
}
