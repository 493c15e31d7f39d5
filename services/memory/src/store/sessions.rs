//! Rows of `sessions`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use contracts::{MemorySessionId, OrgId, UserId};
use db::diesel::{
    self,
    prelude::*,
    sql_query,
    sql_types::{Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use super::{object, schema::sessions, within};
use crate::domain::{
    filter::Reach,
    session::{Belonging, Fork, LastTurn, Session, Summary, Wanted},
    transfer,
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sessions, treat_none_as_null = true)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    subject: Option<String>,
    agent: Option<String>,
    project_id: Option<Uuid>,
    external_id: Option<String>,
    title: Option<String>,
    metadata: Value,
    summary: Option<String>,
    summarized_to: i64,
    forked_from: Option<Uuid>,
    forked_at: Option<i64>,
    next_position: i64,
    last_speaker: Option<String>,
    last_asked: Option<String>,
    last_message_at: Option<DateTime<Utc>>,
    created_by: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Session {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let covers = row.summarized_to;
        let forked = row.forked_from.zip(row.forked_at);
        let last = row.last_speaker.zip(row.last_message_at);
        let asked = row.last_asked.unwrap_or_default();
        Ok(Self {
            id: MemorySessionId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            belonging: Belonging { subject: row.subject, agent: row.agent, project: row.project_id },
            external_id: row.external_id,
            title: row.title,
            metadata: object(row.metadata)?,
            summary: row.summary.map(|text| Summary { text, covers }),
            forked: forked.map(|(from, at)| Fork { from: MemorySessionId::from_uuid(from), at }),
            next_position: row.next_position,
            last: last.map(|(speaker, at)| LastTurn { speaker, asked, at }),
            created_by: UserId::from_uuid(row.created_by),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Session> for Row {
    fn from(session: &Session) -> Self {
        let session = session.clone();
        let last = session.last;
        Self {
            id: session.id.uuid(),
            org_id: session.org.uuid(),
            subject: session.belonging.subject,
            agent: session.belonging.agent,
            project_id: session.belonging.project,
            external_id: session.external_id,
            title: session.title,
            metadata: Value::Object(session.metadata),
            summarized_to: session.summary.as_ref().map_or(0, |summary| summary.covers),
            summary: session.summary.map(|summary| summary.text),
            forked_from: session.forked.map(|fork| fork.from.uuid()),
            forked_at: session.forked.map(|fork| fork.at),
            next_position: session.next_position,
            last_speaker: last.as_ref().map(|last| last.speaker.clone()),
            last_asked: last.as_ref().map(|last| last.asked.clone()),
            last_message_at: last.map(|last| last.at),
            created_by: session.created_by.uuid(),
            version: session.version,
            created_at: session.created_at,
            updated_at: session.updated_at,
        }
    }
}

pub fn insert(conn: &mut PgConnection, session: &Session) -> QueryResult<()> {
    diesel::insert_into(sessions::table).values(Row::from(session)).execute(conn).map(drop)
}

pub fn update(conn: &mut PgConnection, session: &Session) -> QueryResult<()> {
    let row = sessions::table.find(session.id.uuid()).filter(sessions::org_id.eq(session.org.uuid()));
    diesel::update(row).set(Row::from(session)).execute(conn).map(drop)
}

pub fn delete(conn: &mut PgConnection, org: OrgId, id: MemorySessionId) -> QueryResult<()> {
    let row = sessions::table.find(id.uuid()).filter(sessions::org_id.eq(org.uuid()));
    diesel::delete(row).execute(conn).map(drop)
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, id: MemorySessionId) -> QueryResult<Option<Session>> {
    let row = sessions::table.find(id.uuid()).filter(sessions::org_id.eq(org.uuid())).select(Row::as_select());
    row.first(conn).optional()?.map(Session::try_from).transpose()
}

/// Like [`find_in_org`], and nobody else adds to the session or changes it until this transaction ends.
pub fn lock_in_org(conn: &mut PgConnection, org: OrgId, id: MemorySessionId) -> QueryResult<Option<Session>> {
    let row = sessions::table.find(id.uuid()).filter(sessions::org_id.eq(org.uuid())).select(Row::as_select());
    row.for_update().first(conn).optional()?.map(Session::try_from).transpose()
}

/// The session that a client calls so, if it is this subject's. Nobody else adds to it or changes it until this transaction ends.
pub fn lock_called(
    conn: &mut PgConnection,
    org: OrgId,
    subject: &str,
    external_id: &str,
) -> QueryResult<Option<Session>> {
    let row = sessions::table
        .filter(sessions::org_id.eq(org.uuid()))
        .filter(sessions::subject.eq(subject))
        .filter(sessions::external_id.eq(external_id))
        .select(Row::as_select());
    row.for_update().first(conn).optional()?.map(Session::try_from).transpose()
}

/// Whether the session is new: none of its subject is called the same.
pub fn insert_new(conn: &mut PgConnection, session: &Session) -> QueryResult<bool> {
    let insert = diesel::insert_into(sessions::table).values(Row::from(session)).on_conflict_do_nothing();
    Ok(insert.execute(conn)? > 0)
}

/// Where a page of [`list_in_org`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, MemorySessionId);

/// The sessions within reach, newest first, at most `limit`.
pub fn list_in_org(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: &Wanted,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Session>> {
    let mut query = sessions::table
        .filter(sessions::org_id.eq(org.uuid()))
        .filter(within(reach))
        .select(Row::as_select())
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(subject) = &wanted.subject {
        query = query.filter(sessions::subject.eq(subject));
    }
    if let Some(agent) = &wanted.agent {
        query = query.filter(sessions::agent.eq(agent));
    }
    if let Some(project) = wanted.project {
        query = query.filter(sessions::project_id.eq(project));
    }
    if let Some(external_id) = &wanted.external_id {
        query = query.filter(sessions::external_id.eq(external_id));
    }
    if let Some((at, id)) = after {
        let same = sessions::created_at.eq(at).and(sessions::id.lt(id.uuid()));
        query = query.filter(sessions::created_at.lt(at).or(same));
    }
    query.load(conn)?.into_iter().map(Session::try_from).collect()
}

/// Takes the summaries from everything that branched off from a session, also from its branches: they may be about its
/// turns.
pub fn forget_summaries_of_forks(
    conn: &mut PgConnection,
    org: OrgId,
    id: MemorySessionId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql_query(
        "WITH RECURSIVE forks AS (SELECT id FROM sessions WHERE org_id = $1 AND forked_from = $2 \
         UNION SELECT s.id FROM sessions s JOIN forks f ON s.forked_from = f.id WHERE s.org_id = $1) \
         UPDATE sessions SET summary = NULL, summarized_to = 0, version = version + 1, updated_at = $3 \
         WHERE org_id = $1 AND id IN (SELECT id FROM forks) AND summary IS NOT NULL",
    )
    .bind::<SqlUuid, _>(org.uuid())
    .bind::<SqlUuid, _>(id.uuid())
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .map(drop)
}

pub fn insert_all(conn: &mut PgConnection, sessions: &[Session]) -> QueryResult<()> {
    let rows: Vec<_> = sessions.iter().map(Row::from).collect();
    diesel::insert_into(sessions::table).values(rows).execute(conn).map(drop)
}

/// Those of these sessions that are there.
pub fn find_all(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, Session>> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::org_id.eq(org.uuid()))
        .filter(sessions::id.eq_any(ids))
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(|row| Ok((row.id, Session::try_from(row)?))).collect()
}

/// Sessions that clients call one of these names: whose they are, and the name.
pub fn external_ids(
    conn: &mut PgConnection,
    org: OrgId,
    names: &[String],
) -> QueryResult<HashSet<(Option<String>, String)>> {
    let rows: Vec<(Option<String>, Option<String>)> = sessions::table
        .filter(sessions::org_id.eq(org.uuid()))
        .filter(sessions::external_id.eq_any(names))
        .select((sessions::subject, sessions::external_id))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(subject, name)| Some((subject, name?))).collect())
}

/// The sessions within reach after `after`, the oldest first, at most `limit`.
pub fn export(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: &transfer::Wanted,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Session>> {
    let mut query = sessions::table
        .filter(sessions::org_id.eq(org.uuid()))
        .filter(within(reach))
        .select(Row::as_select())
        .order((sessions::created_at, sessions::id))
        .limit(limit)
        .into_boxed();
    if let Some(subject) = &wanted.subject {
        query = query.filter(sessions::subject.eq(subject));
    }
    if let Some(agent) = &wanted.agent {
        query = query.filter(sessions::agent.eq(agent));
    }
    if let Some(session) = wanted.session {
        query = query.filter(sessions::id.eq(session.uuid()));
    }
    if let Some(project) = wanted.project {
        query = query.filter(sessions::project_id.eq(project));
    }
    if let Some((at, id)) = after {
        let same = sessions::created_at.eq(at).and(sessions::id.gt(id.uuid()));
        query = query.filter(sessions::created_at.gt(at).or(same));
    }
    query.load(conn)?.into_iter().map(Session::try_from).collect()
}
