//! Rows of `providers`. `owner` is an organization, or `None` for the whole installation; what belongs to the installation
//! is written in system transactions only.

use chrono::{DateTime, Utc};
use contracts::{OrgId, ProviderId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::{schema::providers, unreadable};
use crate::domain::provider::{KeptKey, ProviderKind, ProviderRecord, ProviderSource};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = providers, treat_none_as_null = true)]
struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    name: String,
    kind: String,
    base_url: String,
    key_sealed: Option<String>,
    key_hint: Option<String>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for ProviderRecord {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: ProviderId::from_uuid(row.id),
            org: row.org_id.map(OrgId::from_uuid),
            name: row.name,
            kind: ProviderKind::named(&row.kind).ok_or_else(|| unreadable("a kind of provider is unknown"))?,
            base_url: row.base_url.parse().map_err(|_| unreadable("a provider's URL is none"))?,
            key: row.key_sealed.map(|sealed| KeptKey { sealed: Some(sealed), hint: row.key_hint }),
            source: ProviderSource::Custom,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&ProviderRecord> for Row {
    fn from(provider: &ProviderRecord) -> Self {
        let key = provider.key.as_ref();
        Self {
            id: provider.id.uuid(),
            org_id: provider.org.map(OrgId::uuid),
            name: provider.name.clone(),
            kind: provider.kind.as_str().to_owned(),
            base_url: provider.base_url.to_string(),
            key_sealed: key.and_then(|key| key.sealed.clone()),
            key_hint: key.and_then(|key| key.hint.clone()),
            version: provider.version,
            created_at: provider.created_at,
            updated_at: provider.updated_at,
        }
    }
}

/// All of an owner, the oldest first.
pub fn list(conn: &mut PgConnection, owner: Option<OrgId>) -> QueryResult<Vec<ProviderRecord>> {
    let rows: Vec<Row> = providers::table
        .filter(providers::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .order((providers::created_at, providers::id))
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(ProviderRecord::try_from).collect()
}

/// Where a page of [`page`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, ProviderId);

/// Those of an organization, and in a system transaction also of the installation, the oldest first, at most `limit`.
pub fn page(conn: &mut PgConnection, org: OrgId, after: Option<After>, limit: i64) -> QueryResult<Vec<ProviderRecord>> {
    let mut query = providers::table
        .filter(providers::org_id.eq(org.uuid()).or(providers::org_id.is_null()))
        .order((providers::created_at, providers::id))
        .select(Row::as_select())
        .limit(limit)
        .into_boxed();
    if let Some((at, id)) = after {
        query = query
            .filter(providers::created_at.gt(at).or(providers::created_at.eq(at).and(providers::id.gt(id.uuid()))));
    }
    let rows: Vec<Row> = query.load(conn)?;
    rows.into_iter().map(ProviderRecord::try_from).collect()
}

/// One of an organization, or in a system transaction of the installation.
pub fn find(conn: &mut PgConnection, org: OrgId, id: ProviderId) -> QueryResult<Option<ProviderRecord>> {
    providers::table
        .find(id.uuid())
        .filter(providers::org_id.eq(org.uuid()).or(providers::org_id.is_null()))
        .select(Row::as_select())
        .first(conn)
        .optional()?
        .map(ProviderRecord::try_from)
        .transpose()
}

/// One of this owner, locked until the transaction ends.
pub fn lock(conn: &mut PgConnection, owner: Option<OrgId>, id: ProviderId) -> QueryResult<Option<ProviderRecord>> {
    providers::table
        .find(id.uuid())
        .filter(providers::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .optional()?
        .map(ProviderRecord::try_from)
        .transpose()
}

pub fn count(conn: &mut PgConnection, owner: Option<OrgId>) -> QueryResult<i64> {
    providers::table.filter(providers::org_id.is_not_distinct_from(owner.map(OrgId::uuid))).count().get_result(conn)
}

pub fn insert(conn: &mut PgConnection, provider: &ProviderRecord) -> QueryResult<()> {
    diesel::insert_into(providers::table).values(Row::from(provider)).execute(conn)?;
    Ok(())
}

pub fn update(conn: &mut PgConnection, provider: &ProviderRecord) -> QueryResult<()> {
    let row = Row::from(provider);
    diesel::update(providers::table.find(row.id)).set(&row).execute(conn)?;
    Ok(())
}

pub fn delete(conn: &mut PgConnection, id: ProviderId) -> QueryResult<()> {
    diesel::delete(providers::table.find(id.uuid())).execute(conn)?;
    Ok(())
}

/// Which of these providers the owner has. They stay until the transaction ends.
pub fn present(conn: &mut PgConnection, owner: Option<OrgId>, ids: &[ProviderId]) -> QueryResult<Vec<ProviderId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let found: Vec<Uuid> = providers::table
        .filter(providers::org_id.is_not_distinct_from(owner.map(OrgId::uuid)))
        .filter(providers::id.eq_any(ids))
        .select(providers::id)
        .for_key_share()
        .load(conn)?;
    Ok(found.into_iter().map(ProviderId::from_uuid).collect())
}

/// Sealed keys of all organizations, locked; for the system's re-sealing.
pub fn lock_sealed_keys(conn: &mut PgConnection) -> QueryResult<Vec<(ProviderId, String)>> {
    let rows: Vec<(Uuid, String)> = providers::table
        .filter(providers::key_sealed.is_not_null())
        .select((providers::id, providers::key_sealed.assume_not_null()))
        .order(providers::id)
        .for_update()
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, sealed)| (ProviderId::from_uuid(id), sealed)).collect())
}

/// Writes a key that was sealed anew under another master key; for the provider nothing has changed.
pub fn set_sealed(conn: &mut PgConnection, id: ProviderId, sealed: &str) -> QueryResult<()> {
    diesel::update(providers::table.find(id.uuid())).set(providers::key_sealed.eq(sealed)).execute(conn)?;
    Ok(())
}
