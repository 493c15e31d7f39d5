//! Rows of `memory_history`.

use std::collections::HashMap;

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
    superseded_by: Option<Uuid>,
}

pub fn insert(conn: &mut PgConnection, org: OrgId, id: MemoryId, turn: &Turn) -> QueryResult<()> {
    insert_all(conn, org, std::slice::from_ref(&(id, turn.clone())))
}

pub fn insert_all(conn: &mut PgConnection, org: OrgId, turns: &[(MemoryId, Turn)]) -> QueryResult<()> {
    let row = |(id, turn): &(MemoryId, Turn)| Row {
        memory_id: id.uuid(),
        version: turn.version,
        org_id: org.uuid(),
        change: turn.change.as_str().to_owned(),
        old_text: turn.old_text.clone(),
        new_text: turn.new_text.clone(),
        actor_id: turn.actor.map(UserId::uuid),
        at: turn.at,
        superseded_by: turn.by.map(MemoryId::uuid),
    };
    let rows: Vec<_> = turns.iter().map(row).collect();
    diesel::insert_into(memory_history::table).values(rows).execute(conn).map(drop)
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
            by: row.superseded_by.map(MemoryId::from_uuid),
            actor: row.actor_id.map(UserId::from_uuid),
            at: row.at,
        })
    };
    rows.into_iter().map(turn).collect()
}

/// The last version of each of these memories, also of those that are forgotten.
pub fn versions(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, i64>> {
    let rows: Vec<(Uuid, Option<i64>)> = memory_history::table
        .filter(memory_history::org_id.eq(org.uuid()))
        .filter(memory_history::memory_id.eq_any(ids))
        .group_by(memory_history::memory_id)
        .select((memory_history::memory_id, diesel::dsl::max(memory_history::version)))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(id, version)| Some((id, version?))).collect())
}

/// Takes the texts of memories that are forgotten out of their history, and out of that of those which they superseded.
pub fn blank(conn: &mut PgConnection, org: OrgId, ids: &[MemoryId]) -> QueryResult<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let of_org = memory_history::table.filter(memory_history::org_id.eq(org.uuid()));
    let nothing = (memory_history::old_text.eq(None::<String>), memory_history::new_text.eq(None::<String>));
    diesel::update(of_org.filter(memory_history::memory_id.eq_any(ids.clone()))).set(nothing).execute(conn)?;
    diesel::update(of_org.filter(memory_history::superseded_by.eq_any(ids)))
        .set(memory_history::new_text.eq(None::<String>))
        .execute(conn)
        .map(drop)
}
