//! Rows of `turns`.

use chrono::{DateTime, Utc};
use contracts::{CompletionId, OrgId, UserId};
use db::diesel::{self, prelude::*, sql_query, sql_types};
use serde_json::Value;
use uuid::Uuid;

use super::{schema::turns, unreadable};
use crate::domain::{
    turn::{Finished, Turn},
    usage::UsageRecord,
};

type Row = (Uuid, String, Value, DateTime<Utc>);

/// Keeps what was said in these calls.
pub fn insert_all(conn: &mut PgConnection, said: &[(&UsageRecord, &Turn)]) -> Result<(), db::Error> {
    if said.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(said.len());
    for (record, turn) in said {
        rows.push((
            turns::completion_id.eq(record.id.uuid()),
            turns::org_id.eq(record.org.uuid()),
            turns::user_id.eq(record.user.uuid()),
            turns::model.eq(&record.model),
            turns::turn.eq(serde_json::to_value(turn)?),
            turns::finished_at.eq(record.recorded_at),
        ));
    }
    Ok(diesel::insert_into(turns::table).values(rows).execute(conn).map(drop)?)
}

pub fn find(conn: &mut PgConnection, org: OrgId, id: CompletionId) -> QueryResult<Option<Finished>> {
    let row: Option<Row> = turns::table
        .find(id.uuid())
        .filter(turns::org_id.eq(org.uuid()))
        .select((turns::user_id, turns::model, turns::turn, turns::finished_at))
        .first(conn)
        .optional()?;
    row.map(|(by, model, turn, at)| {
        let turn = serde_json::from_value(turn).map_err(|_| unreadable("a turn"))?;
        Ok(Finished { by: UserId::from_uuid(by), model, turn, at })
    })
    .transpose()
}

pub fn delete(conn: &mut PgConnection, org: OrgId, id: CompletionId) -> QueryResult<()> {
    diesel::delete(turns::table.find(id.uuid()).filter(turns::org_id.eq(org.uuid()))).execute(conn).map(drop)
}

/// Deletes what a person said, in all organizations.
pub fn delete_of(conn: &mut PgConnection, user: UserId) -> QueryResult<()> {
    sql_query("DELETE FROM turns WHERE user_id = $1 AND coalesce(turn ->> 'user', $1::text) = $1::text")
        .bind::<sql_types::Uuid, _>(user.uuid())
        .execute(conn)
        .map(drop)
}

/// Deletes what was said before `before`, of all organizations; how many turns there were.
pub fn delete_before(conn: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(turns::table.filter(turns::finished_at.lt(before))).execute(conn)
}
