//! Rows of `chunks`: what documents say, in the parts that are found.

use contracts::{ChunkId, DocumentId, OrgId};
use db::{
    OfRows,
    diesel::{self, prelude::*},
};
use serde::Serialize;
use uuid::Uuid;

use super::schema::chunks;
use crate::domain::{document::Chunk, entry::EntryId};

#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = chunks)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    document_id: Uuid,
    position: i64,
    heading_path: Vec<String>,
    text: String,
}

impl From<Row> for Chunk {
    fn from(row: Row) -> Self {
        Self { id: ChunkId::from_uuid(row.id), position: row.position, heading_path: row.heading_path, text: row.text }
    }
}

/// Adds chunks of a document.
pub fn insert_all(
    conn: &mut PgConnection,
    org: OrgId,
    document: DocumentId,
    chunks: &[Chunk],
) -> Result<(), db::Error> {
    let row = |chunk: &Chunk| Row {
        id: chunk.id.uuid(),
        org_id: org.uuid(),
        document_id: document.uuid(),
        position: chunk.position,
        heading_path: chunk.heading_path.clone(),
        text: chunk.text.clone(),
    };
    let rows: Vec<_> = chunks.iter().map(row).collect();
    let statement = OfRows::new(
        "INSERT INTO chunks (id, org_id, document_id, position, heading_path, text) \
         SELECT id, org_id, document_id, position, heading_path, text \
         FROM jsonb_populate_recordset(NULL::chunks, $1)",
        &rows,
    )?;
    statement.execute(conn)?;
    Ok(())
}

/// Deletes the chunks of documents, and says as what they were found.
pub fn delete_of(conn: &mut PgConnection, org: OrgId, documents: &[DocumentId]) -> QueryResult<Vec<EntryId>> {
    let documents: Vec<_> = documents.iter().map(|document| document.uuid()).collect();
    let rows = chunks::table.filter(chunks::org_id.eq(org.uuid())).filter(chunks::document_id.eq_any(documents));
    let ids: Vec<Uuid> = diesel::delete(rows).returning(chunks::id).get_results(conn)?;
    Ok(ids.into_iter().map(EntryId).collect())
}

/// The chunks of a document after position `after`, in order, at most `limit`.
pub fn list_of(
    conn: &mut PgConnection,
    org: OrgId,
    document: DocumentId,
    after: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Chunk>> {
    let rows: Vec<Row> = chunks::table
        .filter(chunks::org_id.eq(org.uuid()))
        .filter(chunks::document_id.eq(document.uuid()))
        .filter(chunks::position.gt(after.unwrap_or(-1)))
        .order(chunks::position)
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Chunk::from).collect())
}
