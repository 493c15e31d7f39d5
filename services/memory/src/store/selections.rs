//! Memories by selections, one page by its number.

use chrono::{DateTime, Utc};
use contracts::{MemorySessionId, OrgId};
use db::diesel::{
    BoolExpressionMethods as _, BoxableExpression, ExpressionMethods as _, NullableExpressionMethods as _,
    PgArrayExpressionMethods as _, PgConnection, PgJsonbExpressionMethods as _, QueryDsl as _, QueryResult,
    RunQueryDsl as _,
    dsl::sql,
    pg::Pg,
    sql_types::{Bool, Nullable},
};
use serde_json::Value;
use uuid::Uuid;

use super::{schema::memories, within};
use crate::domain::{filter::Reach, selection::Selection};

type Condition = Box<dyn BoxableExpression<memories::table, Pg, SqlType = Nullable<Bool>>>;

/// The memories within reach that hold at `now` and pass one of the selections, the newest first: `limit` after `skip`, and
/// how many there are in all.
pub fn page(
    conn: &mut PgConnection,
    (org, reach): (OrgId, Reach),
    any: &[Selection],
    now: DateTime<Utc>,
    (skip, limit): (i64, i64),
) -> QueryResult<(Vec<Uuid>, i64)> {
    let Some(total) = wanted(org, reach, any, now) else { return Ok((Vec::new(), 0)) };
    let total = memories::table.filter(total).count().get_result(conn)?;
    let Some(page) = wanted(org, reach, any, now) else { return Ok((Vec::new(), 0)) };
    let ids = memories::table
        .filter(page)
        .order((memories::created_at.desc(), memories::id.desc()))
        .offset(skip)
        .limit(limit)
        .select(memories::id)
        .load(conn)?;
    Ok((ids, total))
}

/// `None` without a selection: nothing passes then.
fn wanted(org: OrgId, reach: Reach, any: &[Selection], now: DateTime<Utc>) -> Option<Condition> {
    let either = any.iter().map(passes).reduce(|either, next| Box::new(either.or(next)))?;
    let holds = memories::valid_from.le(now).and(memories::valid_to.is_null().or(memories::valid_to.gt(now)));
    let fresh = memories::expires_at.is_null().or(memories::expires_at.gt(now));
    let known = memories::org_id.eq(org.uuid()).and(within(reach));
    Some(Box::new(known.and(holds).and(fresh).and(either)))
}

fn passes(selection: &Selection) -> Condition {
    let mut all: Condition = Box::new(sql::<Bool>("TRUE").nullable());
    let also = |all: Condition, next: Condition| -> Condition { Box::new(all.and(next)) };
    if let Some(subject) = selection.subject.clone() {
        all = also(all, Box::new(memories::subject.eq(subject)));
    }
    if let Some(agent) = selection.agent.clone() {
        all = also(all, Box::new(memories::agent.eq(agent)));
    }
    if let Some(session) = selection.session.map(MemorySessionId::uuid) {
        all = also(all, Box::new(memories::session_id.eq(session)));
    }
    if let Some(project) = selection.project {
        all = also(all, Box::new(memories::project_id.eq(project)));
    }
    if !selection.tags.is_empty() {
        all = also(all, Box::new(memories::tags.contains(selection.tags.clone()).nullable()));
    }
    if !selection.metadata.is_empty() {
        let fields = Value::Object(selection.metadata.clone());
        all = also(all, Box::new(memories::metadata.contains(fields).nullable()));
    }
    if let Some(from) = selection.from {
        all = also(all, Box::new(memories::valid_from.ge(from).nullable()));
    }
    if let Some(to) = selection.to {
        all = also(all, Box::new(memories::valid_from.lt(to).nullable()));
    }
    all
}
