//! Rows of `documents` and `document_contents`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::{CollectionId, DocumentId, OrgId, UserId};
use db::diesel::{
    self,
    prelude::*,
    sql_query,
    sql_types::{self, Double, Timestamptz},
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    object,
    schema::{document_contents, documents},
    unreadable, within,
};
use crate::{
    documents::Format,
    domain::{
        document::{Document, FORMATS, Failure, Status, Wanted},
        filter::Reach,
    },
};

#[derive(Queryable, QueryableByName, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = documents, treat_none_as_null = true)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    collection_id: Uuid,
    subject: Option<String>,
    name: String,
    media_type: Option<String>,
    format: String,
    bytes: i64,
    sha256: Vec<u8>,
    status: String,
    error: Option<String>,
    title: Option<String>,
    chunk_count: i32,
    tags: Vec<String>,
    metadata: Value,
    revision: i32,
    attempts: i32,
    created_by: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Document {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let format = FORMATS.into_iter().find(|(_, word)| *word == row.format).map(|(format, _)| format);
        let status = Status::ALL.into_iter().find(|status| status.as_str() == row.status);
        let failure = |word: String| Failure::ALL.into_iter().find(|failure| failure.as_str() == word);
        let error = row.error.map(|word| failure(word).ok_or_else(|| unreadable("documents.error"))).transpose()?;
        Ok(Self {
            id: DocumentId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            collection: CollectionId::from_uuid(row.collection_id),
            subject: row.subject,
            name: row.name,
            media_type: row.media_type,
            format: format.ok_or_else(|| unreadable("documents.format"))?,
            bytes: row.bytes,
            sha256: row.sha256.try_into().map_err(|_| unreadable("documents.sha256"))?,
            status: status.ok_or_else(|| unreadable("documents.status"))?,
            error,
            title: row.title,
            chunk_count: row.chunk_count,
            tags: row.tags,
            metadata: object(row.metadata)?,
            revision: row.revision,
            attempts: row.attempts,
            created_by: UserId::from_uuid(row.created_by),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Document> for Row {
    fn from(document: &Document) -> Self {
        let document = document.clone();
        Self {
            id: document.id.uuid(),
            org_id: document.org.uuid(),
            collection_id: document.collection.uuid(),
            subject: document.subject,
            name: document.name,
            media_type: document.media_type,
            format: word(document.format).to_owned(),
            bytes: document.bytes,
            sha256: document.sha256.to_vec(),
            status: document.status.as_str().to_owned(),
            error: document.error.map(|error| error.as_str().to_owned()),
            title: document.title,
            chunk_count: document.chunk_count,
            tags: document.tags,
            metadata: Value::Object(document.metadata),
            revision: document.revision,
            attempts: document.attempts,
            created_by: document.created_by.uuid(),
            version: document.version,
            created_at: document.created_at,
            updated_at: document.updated_at,
        }
    }
}

fn word(format: Format) -> &'static str {
    FORMATS.into_iter().find(|(known, _)| *known == format).map_or("text", |(_, word)| word)
}

/// With what was uploaded.
pub fn insert(conn: &mut PgConnection, document: &Document, content: &[u8]) -> QueryResult<()> {
    diesel::insert_into(documents::table).values(Row::from(document)).execute(conn)?;
    let row = (
        document_contents::document_id.eq(document.id.uuid()),
        document_contents::org_id.eq(document.org.uuid()),
        document_contents::content.eq(content),
    );
    diesel::insert_into(document_contents::table).values(row).execute(conn).map(drop)
}

pub fn update(conn: &mut PgConnection, document: &Document) -> QueryResult<()> {
    let row = documents::table.find(document.id.uuid()).filter(documents::org_id.eq(document.org.uuid()));
    diesel::update(row).set(Row::from(document)).execute(conn).map(drop)
}

/// Like [`update`], for a document that waits: it may be begun after `pause`.
pub fn enqueue(conn: &mut PgConnection, document: &Document, pause: Duration) -> QueryResult<()> {
    update(conn, document)?;
    sql_query("UPDATE documents SET not_before = now() + make_interval(secs => $3) WHERE org_id = $1 AND id = $2")
        .bind::<sql_types::Uuid, _>(document.org.uuid())
        .bind::<sql_types::Uuid, _>(document.id.uuid())
        .bind::<Double, _>(pause.as_secs_f64())
        .execute(conn)
        .map(drop)
}

/// Takes the document that has waited longest. Somebody else takes it after `lease`, should this process die. As the system
/// role.
pub fn claim(conn: &mut PgConnection, now: DateTime<Utc>, lease: Duration) -> QueryResult<Option<Document>> {
    let row: Option<Row> = sql_query(
        "WITH due AS (SELECT id FROM documents WHERE status IN ('pending', 'indexing') AND not_before <= now() \
             ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED) \
         UPDATE documents d SET status = 'indexing', attempts = attempts + 1, version = version + 1, updated_at = $1, \
             not_before = now() + make_interval(secs => $2) FROM due WHERE d.id = due.id RETURNING d.*",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Double, _>(lease.as_secs_f64())
    .get_result(conn)
    .optional()?;
    row.map(Document::try_from).transpose()
}

/// Deletes it with its chunks and what was uploaded.
pub fn delete(conn: &mut PgConnection, org: OrgId, id: DocumentId) -> QueryResult<()> {
    let row = documents::table.find(id.uuid()).filter(documents::org_id.eq(org.uuid()));
    diesel::delete(row).execute(conn).map(drop)
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, id: DocumentId) -> QueryResult<Option<Document>> {
    let row = documents::table.find(id.uuid()).filter(documents::org_id.eq(org.uuid())).select(Row::as_select());
    row.first(conn).optional()?.map(Document::try_from).transpose()
}

/// Like [`find_in_org`], and nobody else changes it until this transaction ends.
pub fn lock_in_org(conn: &mut PgConnection, org: OrgId, id: DocumentId) -> QueryResult<Option<Document>> {
    let row = documents::table.find(id.uuid()).filter(documents::org_id.eq(org.uuid())).select(Row::as_select());
    row.for_update().first(conn).optional()?.map(Document::try_from).transpose()
}

/// The documents of a collection, which nobody else changes until this transaction ends.
pub fn lock_of_collection(conn: &mut PgConnection, org: OrgId, of: CollectionId) -> QueryResult<Vec<DocumentId>> {
    let rows = documents::table
        .filter(documents::org_id.eq(org.uuid()))
        .filter(documents::collection_id.eq(of.uuid()))
        .order(documents::id)
        .select(documents::id)
        .for_update();
    let ids: Vec<Uuid> = rows.load(conn)?;
    Ok(ids.into_iter().map(DocumentId::from_uuid).collect())
}

/// The document of the collection that is the same bytes, read as the same. Nobody else adds it until this transaction ends.
pub fn find_same(conn: &mut PgConnection, document: &Document) -> QueryResult<Option<Document>> {
    sql_query("SELECT pg_advisory_xact_lock(hashtextextended('memory document ' || $1 || encode($2, 'hex'), 0))")
        .bind::<sql_types::Text, _>(document.collection.to_string())
        .bind::<sql_types::Bytea, _>(document.sha256.to_vec())
        .execute(conn)?;
    let row = documents::table
        .filter(documents::org_id.eq(document.org.uuid()))
        .filter(documents::collection_id.eq(document.collection.uuid()))
        .filter(documents::sha256.eq(document.sha256.to_vec()))
        .filter(documents::format.eq(word(document.format)))
        .select(Row::as_select());
    row.first(conn).optional()?.map(Document::try_from).transpose()
}

/// What was uploaded.
pub fn content(conn: &mut PgConnection, org: OrgId, id: DocumentId) -> QueryResult<Option<Vec<u8>>> {
    document_contents::table
        .find(id.uuid())
        .filter(document_contents::org_id.eq(org.uuid()))
        .select(document_contents::content)
        .first(conn)
        .optional()
}

/// Where a page of [`list_in_org`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, DocumentId);

/// The documents within reach, newest first, at most `limit`.
pub fn list_in_org(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: Wanted,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Document>> {
    let mut query = documents::table
        .filter(documents::org_id.eq(org.uuid()))
        .filter(within(reach))
        .select(Row::as_select())
        .order((documents::created_at.desc(), documents::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(collection) = wanted.collection {
        query = query.filter(documents::collection_id.eq(collection.uuid()));
    }
    if let Some(status) = wanted.status {
        query = query.filter(documents::status.eq(status.as_str()));
    }
    if let Some((at, id)) = after {
        let same = documents::created_at.eq(at).and(documents::id.lt(id.uuid()));
        query = query.filter(documents::created_at.lt(at).or(same));
    }
    query.load(conn)?.into_iter().map(Document::try_from).collect()
}
