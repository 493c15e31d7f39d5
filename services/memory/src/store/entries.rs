//! Rows of `entries`: what can be found.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{MemorySessionId, OrgId};
use db::{
    OfRows,
    diesel::{self, prelude::*, sql_query, sql_types},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    schema::{entries, vectors},
    unreadable,
};
use crate::domain::entry::{Attributes, Entry, EntryId, Kind};

/// As a row of the table: fields are columns.
#[derive(Queryable, QueryableByName, Selectable, Insertable, Serialize)]
#[diesel(table_name = entries)]
pub(super) struct Row {
    pub id: Uuid,
    org_id: Uuid,
    kind: String,
    subject: Option<String>,
    agent: Option<String>,
    session_id: Option<Uuid>,
    project_id: Option<Uuid>,
    collection_id: Option<Uuid>,
    document_id: Option<Uuid>,
    author: Option<String>,
    position: i64,
    occurred_at: DateTime<Utc>,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    pinned: bool,
    labels: Vec<String>,
    text: String,
    reply_to: String,
}

impl TryFrom<Row> for Entry {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == row.kind);
        Ok(Self {
            id: EntryId(row.id),
            attributes: Attributes {
                org: OrgId::from_uuid(row.org_id),
                kind: kind.ok_or_else(|| unreadable("entries.kind"))?,
                subject: row.subject,
                agent: row.agent,
                session: row.session_id,
                project: row.project_id,
                collection: row.collection_id,
                document: row.document_id,
                labels: row.labels,
                occurred_at: row.occurred_at,
                valid_from: row.valid_from,
                valid_to: row.valid_to,
                expires_at: row.expires_at,
            },
            author: row.author,
            position: row.position,
            pinned: row.pinned,
            text: row.text,
            reply_to: row.reply_to,
        })
    }
}

impl From<&Entry> for Row {
    fn from(entry: &Entry) -> Self {
        let Entry { id, attributes, author, position, pinned, text, reply_to } = entry.clone();
        Self {
            id: id.0,
            org_id: attributes.org.uuid(),
            kind: attributes.kind.as_str().to_owned(),
            subject: attributes.subject,
            agent: attributes.agent,
            session_id: attributes.session,
            project_id: attributes.project,
            collection_id: attributes.collection,
            document_id: attributes.document,
            author,
            position,
            occurred_at: attributes.occurred_at,
            valid_from: attributes.valid_from,
            valid_to: attributes.valid_to,
            expires_at: attributes.expires_at,
            pinned,
            labels: attributes.labels,
            text,
            reply_to,
        }
    }
}

/// Adds entries, or replaces what is known of them, and has those embedded whose text is new. A replaced entry keeps its
/// vector when its text stays.
pub fn put(conn: &mut PgConnection, entries: &[&Entry]) -> Result<(), db::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = entries.iter().map(|entry| Row::from(*entry)).collect();
    // A subquery looks each vector up by its key. Of NOT EXISTS the planner, who does not know how few rows are given, makes
    // a join that reads all vectors.
    let statement = OfRows::new(
        "WITH given AS (SELECT * FROM jsonb_populate_recordset(NULL::entries, $1)), \
         put AS (INSERT INTO entries AS e (id, org_id, kind, subject, agent, session_id, project_id, collection_id, \
             document_id, author, position, occurred_at, valid_from, valid_to, expires_at, pinned, labels, text, reply_to) \
         SELECT id, org_id, kind, subject, agent, session_id, project_id, collection_id, document_id, author, position, \
             occurred_at, valid_from, valid_to, expires_at, pinned, labels, text, reply_to FROM given \
         ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, agent = excluded.agent, \
             session_id = excluded.session_id, project_id = excluded.project_id, author = excluded.author, \
             position = excluded.position, occurred_at = excluded.occurred_at, valid_from = excluded.valid_from, \
             valid_to = excluded.valid_to, expires_at = excluded.expires_at, pinned = excluded.pinned, \
             labels = excluded.labels, text = excluded.text, reply_to = excluded.reply_to, \
             revision = e.revision + (excluded.text <> e.text OR excluded.reply_to <> e.reply_to)::integer \
         RETURNING id, org_id, revision) \
         INSERT INTO embedding_jobs (space_id, entry_id, org_id) \
         SELECT s.id, p.id, p.org_id FROM put p CROSS JOIN spaces s \
         WHERE s.state <> 'retired' AND p.revision IS DISTINCT FROM \
             (SELECT v.revision FROM vectors v WHERE v.space_id = s.id AND v.entry_id = p.id) \
         ON CONFLICT DO NOTHING RETURNING entry_id",
        &rows,
    )?;
    statement.execute(conn)?;
    Ok(())
}

/// Forgets entries: text and vectors at once, from every index as soon as it looks.
pub fn forget(conn: &mut PgConnection, org: OrgId, ids: &[EntryId], now: DateTime<Utc>) -> QueryResult<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = entries::table
        .filter(entries::org_id.eq(org.uuid()))
        .filter(entries::id.eq_any(&ids))
        .filter(entries::gone_at.is_null());
    diesel::update(rows)
        .set((
            entries::gone_at.eq(Some(now)),
            entries::text.eq(""),
            entries::reply_to.eq(""),
            entries::author.eq(None::<String>),
            entries::labels.eq(Vec::<String>::new()),
        ))
        .execute(conn)?;
    // Only now, with the rows in our hands: a vector may have been stored while we waited for one.
    let vectors = vectors::table.filter(vectors::org_id.eq(org.uuid())).filter(vectors::entry_id.eq_any(&ids));
    diesel::delete(vectors).execute(conn)?;
    sql_query("DELETE FROM embedding_jobs WHERE org_id = $1 AND entry_id = ANY($2)")
        .bind::<sql_types::Uuid, _>(org.uuid())
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .execute(conn)
        .map(drop)
}

/// Those of these entries that can be found, in no order.
pub fn find_all(conn: &mut PgConnection, org: OrgId, ids: &[EntryId]) -> QueryResult<Vec<Entry>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<Row> = entries::table
        .filter(entries::org_id.eq(org.uuid()))
        .filter(entries::id.eq_any(ids))
        .filter(entries::gone_at.is_null())
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// What these ids are the entries of, also of those that are gone.
pub fn kinds(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, Kind>> {
    let rows: Vec<(Uuid, String)> = entries::table
        .filter(entries::org_id.eq(org.uuid()))
        .filter(entries::id.eq_any(ids))
        .select((entries::id, entries::kind))
        .load(conn)?;
    let kind = |(id, kind): (Uuid, String)| {
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        Ok((id, kind.ok_or_else(|| unreadable("entries.kind"))?))
    };
    rows.into_iter().map(kind).collect()
}

/// Lets entries that were forgotten be found again, as [`put`] says next.
pub fn revive(conn: &mut PgConnection, org: OrgId, ids: &[EntryId]) -> QueryResult<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = entries::table
        .filter(entries::org_id.eq(org.uuid()))
        .filter(entries::id.eq_any(ids))
        .filter(entries::gone_at.is_not_null());
    diesel::update(rows).set(entries::gone_at.eq(None::<DateTime<Utc>>)).execute(conn).map(drop)
}

#[derive(QueryableByName)]
struct Answering {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
}

/// Turns of a session that answer one which was forgotten.
pub fn answers_to_gone(conn: &mut PgConnection, org: OrgId, session: MemorySessionId) -> QueryResult<Vec<EntryId>> {
    let rows: Vec<Answering> = sql_query(
        "SELECT id FROM (SELECT id, reply_to, gone_at, lag(gone_at) OVER (ORDER BY position) AS before_gone_at \
         FROM entries WHERE org_id = $1 AND session_id = $2 AND kind = 'message') AS turns \
         WHERE gone_at IS NULL AND reply_to <> '' AND before_gone_at IS NOT NULL",
    )
    .bind::<sql_types::Uuid, _>(org.uuid())
    .bind::<sql_types::Uuid, _>(session.uuid())
    .load(conn)?;
    Ok(rows.into_iter().map(|row| EntryId(row.id)).collect())
}
