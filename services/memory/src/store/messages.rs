//! Rows of `messages`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use contracts::{CompletionId, MemorySessionId, MessageId, OrgId};
use db::diesel::{
    self,
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use super::{object, reached, schema::messages, unreadable};
use crate::domain::{
    filter::Reach,
    message::{Message, Role},
    transfer::Wanted,
};

#[derive(Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = messages)]
struct Row {
    id: Uuid,
    stored_at: DateTime<Utc>,
    org_id: Uuid,
    session_id: Uuid,
    position: i64,
    role: String,
    author: Option<String>,
    content: String,
    tool_calls: Option<Value>,
    tool_call_id: Option<String>,
    parent_id: Option<Uuid>,
    completion_id: Option<Uuid>,
    tokens: i32,
    metadata: Value,
    occurred_at: DateTime<Utc>,
}

impl TryFrom<Row> for Message {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: MessageId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            session: MemorySessionId::from_uuid(row.session_id),
            position: row.position,
            role: Role::ALL
                .into_iter()
                .find(|role| role.as_str() == row.role)
                .ok_or_else(|| unreadable("messages.role"))?,
            author: row.author,
            content: row.content,
            tool_calls: row.tool_calls,
            tool_call_id: row.tool_call_id,
            parent: row.parent_id.map(MessageId::from_uuid),
            completion: row.completion_id.map(CompletionId::from_uuid),
            tokens: row.tokens,
            metadata: object(row.metadata)?,
            occurred_at: row.occurred_at,
            stored_at: row.stored_at,
        })
    }
}

impl From<&Message> for Row {
    fn from(message: &Message) -> Self {
        let message = message.clone();
        Self {
            id: message.id.uuid(),
            stored_at: message.stored_at,
            org_id: message.org.uuid(),
            session_id: message.session.uuid(),
            position: message.position,
            role: message.role.as_str().to_owned(),
            author: message.author,
            content: message.content,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            parent_id: message.parent.map(MessageId::uuid),
            completion_id: message.completion.map(CompletionId::uuid),
            tokens: message.tokens,
            metadata: Value::Object(message.metadata),
            occurred_at: message.occurred_at,
        }
    }
}

pub fn insert_all(conn: &mut PgConnection, messages: &[&Message]) -> QueryResult<()> {
    let rows: Vec<_> = messages.iter().map(|message| Row::from(*message)).collect();
    diesel::insert_into(messages::table).values(rows).execute(conn).map(drop)
}

/// Which turns of a session, from `from` and before `to`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub session: MemorySessionId,
    pub from: i64,
    pub to: i64,
}

/// The turns of a span in order, or from its end backwards, at most `limit`.
pub fn list_span(
    conn: &mut PgConnection,
    org: OrgId,
    span: Span,
    backwards: bool,
    limit: i64,
) -> QueryResult<Vec<Message>> {
    let query = messages::table
        .filter(messages::org_id.eq(org.uuid()))
        .filter(messages::session_id.eq(span.session.uuid()))
        .filter(messages::position.ge(span.from))
        .filter(messages::position.lt(span.to))
        .select(Row::as_select())
        .limit(limit)
        .into_boxed();
    let query = if backwards { query.order(messages::position.desc()) } else { query.order(messages::position.asc()) };
    query.load(conn)?.into_iter().map(Message::try_from).collect()
}

/// How many turns the spans have together.
pub fn count(conn: &mut PgConnection, org: OrgId, spans: &[Span]) -> QueryResult<i64> {
    let mut count = 0;
    for span in spans {
        let turns = messages::table
            .filter(messages::org_id.eq(org.uuid()))
            .filter(messages::session_id.eq(span.session.uuid()))
            .filter(messages::position.ge(span.from))
            .filter(messages::position.lt(span.to));
        count += turns.count().get_result::<i64>(conn)?;
    }
    Ok(count)
}

/// Deletes the turns of a session, and says which they were.
pub fn delete_of_session(conn: &mut PgConnection, org: OrgId, session: MemorySessionId) -> QueryResult<Vec<MessageId>> {
    let rows = messages::table.filter(messages::org_id.eq(org.uuid())).filter(messages::session_id.eq(session.uuid()));
    let ids: Vec<Uuid> = diesel::delete(rows).returning(messages::id).get_results(conn)?;
    Ok(ids.into_iter().map(MessageId::from_uuid).collect())
}

/// Deletes these turns of a session, and says which were there.
pub fn delete_all(
    conn: &mut PgConnection,
    org: OrgId,
    session: MemorySessionId,
    ids: &[MessageId],
) -> QueryResult<Vec<MessageId>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows = messages::table
        .filter(messages::org_id.eq(org.uuid()))
        .filter(messages::session_id.eq(session.uuid()))
        .filter(messages::id.eq_any(ids));
    let gone: Vec<Uuid> = diesel::delete(rows).returning(messages::id).get_results(conn)?;
    Ok(gone.into_iter().map(MessageId::from_uuid).collect())
}

/// What somebody said last in the session itself, before a place in it.
pub fn last_talk(
    conn: &mut PgConnection,
    org: OrgId,
    session: MemorySessionId,
    before: i64,
) -> QueryResult<Option<Message>> {
    let talk = Role::ALL.into_iter().filter(|role| role.is_talk()).map(Role::as_str);
    let row = messages::table
        .filter(messages::org_id.eq(org.uuid()))
        .filter(messages::session_id.eq(session.uuid()))
        .filter(messages::position.lt(before))
        .filter(messages::role.eq_any(talk))
        .filter(sql::<Bool>("content ~ '\\S'"))
        .order(messages::position.desc())
        .select(Row::as_select());
    row.first(conn).optional()?.map(Message::try_from).transpose()
}

/// Those of these turns that are there.
pub fn find_all(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, Message>> {
    let rows: Vec<Row> = messages::table
        .filter(messages::org_id.eq(org.uuid()))
        .filter(messages::id.eq_any(ids))
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(|row| Ok((row.id, Message::try_from(row)?))).collect()
}

/// Those of these places in a session that a turn has.
pub fn positions(
    conn: &mut PgConnection,
    org: OrgId,
    session: MemorySessionId,
    positions: &[i64],
) -> QueryResult<HashSet<i64>> {
    let taken: Vec<i64> = messages::table
        .filter(messages::org_id.eq(org.uuid()))
        .filter(messages::session_id.eq(session.uuid()))
        .filter(messages::position.eq_any(positions))
        .select(messages::position)
        .load(conn)?;
    Ok(taken.into_iter().collect())
}

/// The turns of sessions within reach after `after`, one session after the other, at most `limit`.
pub fn export(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: &Wanted,
    after: Option<(MemorySessionId, i64)>,
    limit: i64,
) -> QueryResult<Vec<Message>> {
    let (session, position) = after.map_or((Uuid::nil(), -1), |(session, position)| (session.uuid(), position));
    let rows: Vec<Row> = sql_query(format!(
        "SELECT m.* FROM messages m JOIN sessions s ON s.id = m.session_id \
         WHERE m.org_id = $1 AND s.org_id = $1 AND {} \
         AND ($2 IS NULL OR s.subject = $2) AND ($3 IS NULL OR s.agent = $3) \
         AND ($4 IS NULL OR s.id = $4) AND ($5 IS NULL OR s.project_id = $5) \
         AND (m.session_id, m.position) > ($6, $7) ORDER BY m.session_id, m.position LIMIT $8",
        reached("s.subject", reach)
    ))
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<Nullable<Text>, _>(&wanted.subject)
    .bind::<Nullable<Text>, _>(&wanted.agent)
    .bind::<Nullable<SqlUuid>, _>(wanted.session.map(MemorySessionId::uuid))
    .bind::<Nullable<SqlUuid>, _>(wanted.project)
    .bind::<SqlUuid, _>(session)
    .bind::<BigInt, _>(position)
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    rows.into_iter().map(Message::try_from).collect()
}
