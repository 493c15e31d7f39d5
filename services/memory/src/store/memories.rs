//! Rows of `memories`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{MemoryId, MemorySessionId, MessageId, OrgId, UserId};
use db::diesel::{
    self,
    dsl::sql,
    prelude::*,
    sql_types::{Bool, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use super::{object, reached, schema::memories, unreadable, within};
use crate::domain::{
    filter::Reach,
    memory::{Memory, Source, Wanted},
    session::Belonging,
    transfer,
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = memories, treat_none_as_null = true)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    subject: Option<String>,
    agent: Option<String>,
    session_id: Option<Uuid>,
    project_id: Option<Uuid>,
    text: String,
    text_hash: Vec<u8>,
    source: String,
    source_message_ids: Vec<Uuid>,
    confidence: f32,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    superseded_by: Option<Uuid>,
    expires_at: Option<DateTime<Utc>>,
    pinned: bool,
    tags: Vec<String>,
    metadata: Value,
    created_by: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Memory {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let source = Source::ALL.into_iter().find(|source| source.as_str() == row.source);
        Ok(Self {
            id: MemoryId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            belonging: Belonging { subject: row.subject, agent: row.agent, project: row.project_id },
            session: row.session_id.map(MemorySessionId::from_uuid),
            text: row.text,
            source: source.ok_or_else(|| unreadable("memories.source"))?,
            source_messages: row.source_message_ids.into_iter().map(MessageId::from_uuid).collect(),
            confidence: row.confidence,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            superseded_by: row.superseded_by.map(MemoryId::from_uuid),
            expires_at: row.expires_at,
            pinned: row.pinned,
            tags: row.tags,
            metadata: object(row.metadata)?,
            created_by: UserId::from_uuid(row.created_by),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Memory> for Row {
    fn from(memory: &Memory) -> Self {
        let text_hash = memory.text_hash().to_vec();
        let memory = memory.clone();
        Self {
            id: memory.id.uuid(),
            org_id: memory.org.uuid(),
            subject: memory.belonging.subject,
            agent: memory.belonging.agent,
            session_id: memory.session.map(MemorySessionId::uuid),
            project_id: memory.belonging.project,
            text: memory.text,
            text_hash,
            source: memory.source.as_str().to_owned(),
            source_message_ids: memory.source_messages.into_iter().map(MessageId::uuid).collect(),
            confidence: memory.confidence,
            valid_from: memory.valid_from,
            valid_to: memory.valid_to,
            superseded_by: memory.superseded_by.map(MemoryId::uuid),
            expires_at: memory.expires_at,
            pinned: memory.pinned,
            tags: memory.tags,
            metadata: Value::Object(memory.metadata),
            created_by: memory.created_by.uuid(),
            version: memory.version,
            created_at: memory.created_at,
            updated_at: memory.updated_at,
        }
    }
}

pub fn insert(conn: &mut PgConnection, memory: &Memory) -> QueryResult<()> {
    diesel::insert_into(memories::table).values(Row::from(memory)).execute(conn).map(drop)
}

pub fn update(conn: &mut PgConnection, memory: &Memory) -> QueryResult<()> {
    let row = memories::table.find(memory.id.uuid()).filter(memories::org_id.eq(memory.org.uuid()));
    diesel::update(row).set(Row::from(memory)).execute(conn).map(drop)
}

pub fn delete(conn: &mut PgConnection, org: OrgId, id: MemoryId) -> QueryResult<()> {
    let row = memories::table.find(id.uuid()).filter(memories::org_id.eq(org.uuid()));
    diesel::delete(row).execute(conn).map(drop)
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, id: MemoryId) -> QueryResult<Option<Memory>> {
    let row = memories::table.find(id.uuid()).filter(memories::org_id.eq(org.uuid())).select(Row::as_select());
    row.first(conn).optional()?.map(Memory::try_from).transpose()
}

/// Like [`find_in_org`], and nobody else changes it until this transaction ends.
pub fn lock_in_org(conn: &mut PgConnection, org: OrgId, id: MemoryId) -> QueryResult<Option<Memory>> {
    let row = memories::table.find(id.uuid()).filter(memories::org_id.eq(org.uuid())).select(Row::as_select());
    row.for_update().first(conn).optional()?.map(Memory::try_from).transpose()
}

/// A memory that says the same of the same, and still holds.
pub fn find_same(conn: &mut PgConnection, memory: &Memory) -> QueryResult<Option<Memory>> {
    let row = memories::table
        .filter(memories::org_id.eq(memory.org.uuid()))
        .filter(memories::text_hash.eq(memory.text_hash().to_vec()))
        .filter(memories::subject.is_not_distinct_from(memory.belonging.subject.as_deref()))
        .filter(memories::agent.is_not_distinct_from(memory.belonging.agent.as_deref()))
        .filter(memories::project_id.is_not_distinct_from(memory.belonging.project))
        .filter(memories::session_id.is_not_distinct_from(memory.session.map(MemorySessionId::uuid)))
        .filter(memories::valid_to.is_null())
        .order(memories::created_at)
        .select(Row::as_select());
    row.first(conn).optional()?.map(Memory::try_from).transpose()
}

/// Where a page of [`list_in_org`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, MemoryId);

/// The memories within reach that have not expired, newest first, at most `limit`.
pub fn list_in_org(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: &Wanted,
    now: DateTime<Utc>,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Memory>> {
    let mut query = memories::table
        .filter(memories::org_id.eq(org.uuid()))
        .filter(within(reach))
        .filter(memories::expires_at.is_null().or(memories::expires_at.gt(now)))
        .select(Row::as_select())
        .order((memories::created_at.desc(), memories::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(subject) = &wanted.subject {
        query = query.filter(memories::subject.eq(subject));
    }
    if let Some(agent) = &wanted.agent {
        query = query.filter(memories::agent.eq(agent));
    }
    if let Some(session) = wanted.session {
        query = query.filter(memories::session_id.eq(session.uuid()));
    }
    if let Some(project) = wanted.project {
        query = query.filter(memories::project_id.eq(project));
    }
    if let Some(tag) = &wanted.tag {
        query = query.filter(memories::tags.contains(vec![tag.clone()]));
    }
    if let Some(at) = wanted.as_of {
        let holds = memories::valid_to.is_null().or(memories::valid_to.gt(at));
        query = query.filter(memories::valid_from.le(at)).filter(holds);
    }
    if let Some((at, id)) = after {
        let same = memories::created_at.eq(at).and(memories::id.lt(id.uuid()));
        query = query.filter(memories::created_at.lt(at).or(same));
    }
    query.load(conn)?.into_iter().map(Memory::try_from).collect()
}

/// The memories within reach that belong to a session, or were taken from these turns and no others.
pub fn derived_from(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    session: MemorySessionId,
    turns: &[MessageId],
) -> QueryResult<Vec<MemoryId>> {
    let turns: Vec<_> = turns.iter().map(|turn| turn.uuid()).collect();
    let taken = memories::source_message_ids
        .overlaps_with(turns.clone())
        .and(memories::source_message_ids.is_contained_by(turns));
    let ids: Vec<Uuid> = memories::table
        .filter(memories::org_id.eq(org.uuid()))
        .filter(within(reach))
        .filter(taken.or(memories::session_id.is_not_distinct_from(Some(session.uuid()))))
        .select(memories::id)
        .load(conn)?;
    Ok(ids.into_iter().map(MemoryId::from_uuid).collect())
}

/// Up to `limit` memories whose time was over at `now`, of any organization. As the system role.
pub fn expired(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> QueryResult<Vec<(OrgId, MemoryId)>> {
    let rows: Vec<(Uuid, Uuid)> = memories::table
        .filter(memories::expires_at.le(now))
        .order(memories::expires_at)
        .limit(limit)
        .select((memories::org_id, memories::id))
        .for_update()
        .skip_locked()
        .load(conn)?;
    Ok(rows.into_iter().map(|(org, id)| (OrgId::from_uuid(org), MemoryId::from_uuid(id))).collect())
}

/// Lets nobody else add a text of this hash to the organization until this transaction ends.
pub fn lock_same(conn: &mut PgConnection, org: OrgId, hash: [u8; 32]) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('memory same ' || $1 || encode($2, 'hex'), 0))")
        .bind::<diesel::sql_types::Text, _>(org.to_string())
        .bind::<diesel::sql_types::Bytea, _>(hash.to_vec())
        .execute(conn)
        .map(drop)
}

/// Takes turns that are gone from what the memories within reach say they were taken from.
pub fn forget_sources(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    turns: &[MessageId],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let turns: Vec<_> = turns.iter().map(|turn| turn.uuid()).collect();
    diesel::sql_query(format!(
        "UPDATE memories m SET source_message_ids = \
             ARRAY(SELECT id FROM unnest(m.source_message_ids) WITH ORDINALITY AS source (id, place) \
                 WHERE id <> ALL($2) ORDER BY place), \
             version = version + 1, updated_at = $3 \
         WHERE org_id = $1 AND source_message_ids && $2 AND {}",
        reached("subject", reach)
    ))
    .bind::<diesel::sql_types::Uuid, _>(org.uuid())
    .bind::<diesel::sql_types::Array<diesel::sql_types::Uuid>, _>(turns)
    .bind::<diesel::sql_types::Timestamptz, _>(now)
    .execute(conn)
    .map(drop)
}

pub fn insert_all(conn: &mut PgConnection, memories: &[Memory]) -> QueryResult<()> {
    let rows: Vec<_> = memories.iter().map(Row::from).collect();
    diesel::insert_into(memories::table).values(rows).execute(conn).map(drop)
}

/// Those of these memories that are there.
pub fn find_all(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, Memory>> {
    let rows: Vec<Row> = memories::table
        .filter(memories::org_id.eq(org.uuid()))
        .filter(memories::id.eq_any(ids))
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(|row| Ok((row.id, Memory::try_from(row)?))).collect()
}

/// The memories within reach that have not expired by `now`, after `after`, the oldest first, at most `limit`. Those of a
/// session are also the ones that were taken from its turns.
pub fn export(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: &transfer::Wanted,
    (now, after): (DateTime<Utc>, Option<After>),
    limit: i64,
) -> QueryResult<Vec<Memory>> {
    let mut query = memories::table
        .filter(memories::org_id.eq(org.uuid()))
        .filter(within(reach))
        .filter(memories::expires_at.is_null().or(memories::expires_at.gt(now)))
        .select(Row::as_select())
        .order((memories::created_at, memories::id))
        .limit(limit)
        .into_boxed();
    if let Some(subject) = &wanted.subject {
        query = query.filter(memories::subject.eq(subject));
    }
    if let Some(agent) = &wanted.agent {
        query = query.filter(memories::agent.eq(agent));
    }
    if let Some(session) = wanted.session {
        let taken = sql::<Bool>("source_message_ids && ARRAY(SELECT id FROM messages WHERE org_id = ")
            .bind::<SqlUuid, _>(org.uuid())
            .sql(" AND session_id = ")
            .bind::<SqlUuid, _>(session.uuid())
            .sql(")");
        query = query.filter(memories::session_id.is_not_distinct_from(Some(session.uuid())).or(taken));
    }
    if let Some(project) = wanted.project {
        query = query.filter(memories::project_id.eq(project));
    }
    if let Some((at, id)) = after {
        let same = memories::created_at.eq(at).and(memories::id.gt(id.uuid()));
        query = query.filter(memories::created_at.gt(at).or(same));
    }
    query.load(conn)?.into_iter().map(Memory::try_from).collect()
}
