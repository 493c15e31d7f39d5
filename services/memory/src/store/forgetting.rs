//! Which rows are to be forgotten. Counting and forgetting ask with the same conditions.

use contracts::{MemoryId, MemorySessionId, MessageId, OrgId};
use db::diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl as _,
    pg::Pg,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_query,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use super::reached;
use crate::domain::{
    entry::Kind,
    filter::Reach,
    forgetting::{Counts, Forgetting},
};

/// Turns, with their sessions, that are meant.
fn turns(reach: Reach) -> String {
    let reached = reached("s.subject", reach);
    format!(
        "FROM messages t JOIN sessions s ON s.id = t.session_id \
         WHERE t.org_id = $1 AND s.org_id = $1 AND {reached} AND 'message' = ANY($10) \
         AND ($2 IS NULL OR s.subject = $2) AND ($3 IS NULL OR s.agent = $3) \
         AND ($4 IS NULL OR t.session_id = $4) AND ($5 IS NULL OR s.project_id = $5) \
         AND cardinality($6) = 0 AND t.metadata @> $7 \
         AND ($8 IS NULL OR t.occurred_at >= $8) AND ($9 IS NULL OR t.occurred_at < $9)"
    )
}

/// Memories that are meant, or that were taken from turns all of which are.
fn memories(reach: Reach) -> String {
    let (reached, turns) = (reached("m.subject", reach), turns(reach));
    format!(
        "FROM memories m WHERE m.org_id = $1 AND {reached} AND ('memory' = ANY($10) \
         AND ($2 IS NULL OR m.subject = $2) AND ($3 IS NULL OR m.agent = $3) \
         AND ($4 IS NULL OR m.session_id = $4) AND ($5 IS NULL OR m.project_id = $5) \
         AND m.tags @> $6 AND m.metadata @> $7 \
         AND ($8 IS NULL OR m.valid_from >= $8) AND ($9 IS NULL OR m.valid_from < $9) \
         OR 'message' = ANY($10) AND cardinality(m.source_message_ids) > 0 AND NOT EXISTS \
         (SELECT FROM unnest(m.source_message_ids) AS source (id) WHERE NOT EXISTS (SELECT {turns} AND t.id = source.id)))"
    )
}

/// The parameters that the conditions name, $1 to $10.
fn asked(sql: String, org: OrgId, what: &Forgetting) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
    let kinds = [Kind::Message, Kind::Memory].into_iter().filter(|kind| what.includes(*kind));
    sql_query(sql)
        .into_boxed::<Pg>()
        .bind::<SqlUuid, _>(org.uuid())
        .bind::<Nullable<Text>, _>(what.subject.clone())
        .bind::<Nullable<Text>, _>(what.agent.clone())
        .bind::<Nullable<SqlUuid>, _>(what.session.map(MemorySessionId::uuid))
        .bind::<Nullable<SqlUuid>, _>(what.project)
        .bind::<Array<Text>, _>(what.tags.clone())
        .bind::<Jsonb, _>(Value::Object(what.metadata.clone()))
        .bind::<Nullable<Timestamptz>, _>(what.occurred_from)
        .bind::<Nullable<Timestamptz>, _>(what.occurred_to)
        .bind::<Array<Text>, _>(kinds.map(Kind::as_str).collect::<Vec<_>>())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    messages: i64,
    #[diesel(sql_type = BigInt)]
    memories: i64,
}

/// How many turns and memories are meant.
pub fn count(conn: &mut PgConnection, org: OrgId, reach: Reach, what: &Forgetting) -> QueryResult<Counts> {
    let sql = format!(
        "SELECT (SELECT count(*) {}) AS messages, (SELECT count(*) {}) AS memories",
        turns(reach),
        memories(reach)
    );
    let count: Count = asked(sql, org, what).get_result(conn)?;
    let size = |rows: i64| usize::try_from(rows).unwrap_or_default();
    Ok(Counts { messages: size(count.messages), memories: size(count.memories), sessions: 0 })
}

#[derive(QueryableByName)]
struct MemoryRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Up to `limit` memories that are meant; nobody else changes them until this transaction ends.
pub fn some_memories(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    what: &Forgetting,
    limit: i64,
) -> QueryResult<Vec<MemoryId>> {
    let sql = format!("SELECT m.id {} ORDER BY m.id LIMIT $11 FOR UPDATE OF m", memories(reach));
    let rows: Vec<MemoryRow> = asked(sql, org, what).bind::<BigInt, _>(limit).load(conn)?;
    Ok(rows.into_iter().map(|row| MemoryId::from_uuid(row.id)).collect())
}

/// Drops what waits to have facts taken from it, where the facts would be meant.
pub fn drop_waiting(conn: &mut PgConnection, org: OrgId, reach: Reach, what: &Forgetting) -> QueryResult<()> {
    let reached = reached("e.subject", reach);
    let sql = format!(
        "DELETE FROM extractions e WHERE e.org_id = $1 AND e.status = 'waiting' AND {reached} AND 'memory' = ANY($10) \
         AND ($2 IS NULL OR e.subject = $2) AND ($3 IS NULL OR e.given #>> '{{frame,belonging,agent}}' = $3) \
         AND ($4 IS NULL OR (e.given #>> '{{frame,session}}')::uuid = $4) \
         AND ($5 IS NULL OR (e.given #>> '{{frame,belonging,project}}')::uuid = $5) \
         AND e.given #> '{{frame,tags}}' @> to_jsonb($6) AND e.given #> '{{frame,metadata}}' @> $7 \
         AND ($8 IS NULL OR coalesce((e.given #>> '{{frame,valid_from}}')::timestamptz, e.created_at) >= $8) \
         AND ($9 IS NULL OR coalesce((e.given #>> '{{frame,valid_from}}')::timestamptz, e.created_at) < $9)"
    );
    asked(sql, org, what).execute(conn).map(drop)
}

#[derive(QueryableByName)]
struct TurnRow {
    #[diesel(sql_type = SqlUuid)]
    session_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Up to `limit` turns that are meant, one session after the other.
pub fn some_turns(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    what: &Forgetting,
    limit: i64,
) -> QueryResult<Vec<(MemorySessionId, MessageId)>> {
    let sql = format!("SELECT t.session_id, t.id {} ORDER BY t.session_id, t.position LIMIT $11", turns(reach));
    let rows: Vec<TurnRow> = asked(sql, org, what).bind::<BigInt, _>(limit).load(conn)?;
    let turn = |row: TurnRow| (MemorySessionId::from_uuid(row.session_id), MessageId::from_uuid(row.id));
    Ok(rows.into_iter().map(turn).collect())
}
