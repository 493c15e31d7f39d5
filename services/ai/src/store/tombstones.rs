//! Rows of `tombstones`: ids of what was deleted.

use chrono::{DateTime, Utc};
use contracts::OrgId;
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::tombstones;

/// Something of the owner is no more.
pub fn insert(conn: &mut PgConnection, owner: Option<OrgId>, id: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(tombstones::table)
        .values((tombstones::id.eq(id), tombstones::org_id.eq(owner.map(OrgId::uuid)), tombstones::deleted_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(())
}

/// Whether the organization had something of this id; in a system transaction, whether the installation had.
pub fn exists(conn: &mut PgConnection, org: OrgId, id: Uuid) -> QueryResult<bool> {
    let found = tombstones::table.find(id).filter(tombstones::org_id.eq(org.uuid()).or(tombstones::org_id.is_null()));
    diesel::select(diesel::dsl::exists(found)).get_result(conn)
}
