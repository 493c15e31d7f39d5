//! Rows of `collections`.

use chrono::{DateTime, Utc};
use contracts::{CollectionId, OrgId, UserId};
use db::diesel::{self, prelude::*};
use serde_json::Value;
use uuid::Uuid;

use super::{object, schema::collections, within};
use crate::domain::{
    collection::{Collection, Wanted},
    filter::Reach,
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = collections, treat_none_as_null = true)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    subject: Option<String>,
    name: String,
    description: Option<String>,
    metadata: Value,
    created_by: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Collection {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: CollectionId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            subject: row.subject,
            name: row.name,
            description: row.description,
            metadata: object(row.metadata)?,
            created_by: UserId::from_uuid(row.created_by),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Collection> for Row {
    fn from(collection: &Collection) -> Self {
        let collection = collection.clone();
        Self {
            id: collection.id.uuid(),
            org_id: collection.org.uuid(),
            subject: collection.subject,
            name: collection.name,
            description: collection.description,
            metadata: Value::Object(collection.metadata),
            created_by: collection.created_by.uuid(),
            version: collection.version,
            created_at: collection.created_at,
            updated_at: collection.updated_at,
        }
    }
}

pub fn insert(conn: &mut PgConnection, collection: &Collection) -> QueryResult<()> {
    diesel::insert_into(collections::table).values(Row::from(collection)).execute(conn).map(drop)
}

pub fn update(conn: &mut PgConnection, collection: &Collection) -> QueryResult<()> {
    let row = collections::table.find(collection.id.uuid()).filter(collections::org_id.eq(collection.org.uuid()));
    diesel::update(row).set(Row::from(collection)).execute(conn).map(drop)
}

/// Deletes it with its documents.
pub fn delete(conn: &mut PgConnection, org: OrgId, id: CollectionId) -> QueryResult<()> {
    let row = collections::table.find(id.uuid()).filter(collections::org_id.eq(org.uuid()));
    diesel::delete(row).execute(conn).map(drop)
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, id: CollectionId) -> QueryResult<Option<Collection>> {
    let row = collections::table.find(id.uuid()).filter(collections::org_id.eq(org.uuid())).select(Row::as_select());
    row.first(conn).optional()?.map(Collection::try_from).transpose()
}

/// Like [`find_in_org`], and nobody else changes it or adds documents until this transaction ends.
pub fn lock_in_org(conn: &mut PgConnection, org: OrgId, id: CollectionId) -> QueryResult<Option<Collection>> {
    let row = collections::table.find(id.uuid()).filter(collections::org_id.eq(org.uuid())).select(Row::as_select());
    row.for_update().first(conn).optional()?.map(Collection::try_from).transpose()
}

/// Like [`find_in_org`], and it stays until this transaction ends.
pub fn hold_in_org(conn: &mut PgConnection, org: OrgId, id: CollectionId) -> QueryResult<Option<Collection>> {
    let row = collections::table.find(id.uuid()).filter(collections::org_id.eq(org.uuid())).select(Row::as_select());
    row.for_key_share().first(conn).optional()?.map(Collection::try_from).transpose()
}

/// How many the organization has. Nobody else adds one until this transaction ends.
pub fn count(conn: &mut PgConnection, org: OrgId) -> QueryResult<i64> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('memory collections ' || $1, 0))")
        .bind::<diesel::sql_types::Text, _>(org.to_string())
        .execute(conn)?;
    collections::table.filter(collections::org_id.eq(org.uuid())).count().get_result(conn)
}

/// Where a page of [`list_in_org`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, CollectionId);

/// The collections within reach, newest first, at most `limit`.
pub fn list_in_org(
    conn: &mut PgConnection,
    org: OrgId,
    reach: Reach,
    wanted: &Wanted,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<Collection>> {
    let mut query = collections::table
        .filter(collections::org_id.eq(org.uuid()))
        .filter(within(reach))
        .select(Row::as_select())
        .order((collections::created_at.desc(), collections::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(subject) = &wanted.subject {
        query = query.filter(collections::subject.eq(subject));
    }
    if let Some(name) = &wanted.name {
        query = query.filter(collections::name.eq(name));
    }
    if let Some((at, id)) = after {
        let same = collections::created_at.eq(at).and(collections::id.lt(id.uuid()));
        query = query.filter(collections::created_at.lt(at).or(same));
    }
    query.load(conn)?.into_iter().map(Collection::try_from).collect()
}
