//! Rows of `memberships` and `deleted_organizations`: a projection of what the users service tells.

use chrono::{DateTime, Utc};
use contracts::{MembershipId, OrgId, Role, UserId};
use db::diesel::{self, prelude::*, query_dsl::methods, upsert::excluded};
use uuid::Uuid;

use super::schema::{deleted_organizations, memberships};
use crate::domain::membership::Membership;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships)]
struct Row {
    user_id: Uuid,
    org_id: Uuid,
    membership_id: Uuid,
    sequence: i64,
    role: Option<String>,
}

impl TryFrom<Row> for Membership {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> QueryResult<Self> {
        Ok(Self {
            user: UserId::from_uuid(row.user_id),
            org: OrgId::from_uuid(row.org_id),
            id: MembershipId::from_uuid(row.membership_id),
            sequence: row.sequence,
            role: row.role.as_deref().map(role).transpose()?,
        })
    }
}

impl From<&Membership> for Row {
    fn from(membership: &Membership) -> Self {
        Self {
            user_id: membership.user.uuid(),
            org_id: membership.org.uuid(),
            membership_id: membership.id.uuid(),
            sequence: membership.sequence,
            role: membership.role.map(|role| role.as_str().to_owned()),
        }
    }
}

pub(super) fn role(text: &str) -> QueryResult<Role> {
    text.parse().map_err(|e| diesel::result::Error::DeserializationError(Box::new(e)))
}

/// The row of somebody who registers: the one that a person's own transaction may add, and never change.
pub fn insert(conn: &mut PgConnection, membership: &Membership, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(memberships::table)
        .values((Row::from(membership), memberships::updated_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Writes what is newer than the row, and says whether it was. The condition repeats the domain's rule for two events
/// about somebody nobody knew yet: there is no row to hold in between.
pub fn put(conn: &mut PgConnection, membership: &Membership, now: DateTime<Utc>) -> QueryResult<bool> {
    let id = memberships::membership_id;
    let newer_id = id.lt(excluded(id));
    let same_id_and_newer = id.eq(excluded(id)).and(memberships::sequence.lt(excluded(memberships::sequence)));
    let upsert = diesel::insert_into(memberships::table)
        .values((Row::from(membership), memberships::updated_at.eq(now)))
        .on_conflict((memberships::user_id, memberships::org_id))
        .do_update()
        .set((
            id.eq(excluded(id)),
            memberships::sequence.eq(excluded(memberships::sequence)),
            memberships::role.eq(excluded(memberships::role)),
            memberships::updated_at.eq(excluded(memberships::updated_at)),
        ));
    Ok(methods::FilterDsl::filter(upsert, newer_id.or(same_id_and_newer)).execute(conn)? == 1)
}

/// The row of a membership, held until the transaction ends; also the row of somebody who left.
pub fn lock(conn: &mut PgConnection, user: UserId, org: OrgId) -> QueryResult<Option<Membership>> {
    memberships::table
        .find((user.uuid(), org.uuid()))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .optional()?
        .map(Membership::try_from)
        .transpose()
}

/// A person's role in an organization; `None` when they have none.
pub fn role_in_org(conn: &mut PgConnection, user: UserId, org: OrgId) -> QueryResult<Option<Role>> {
    let found: Option<Option<String>> =
        memberships::table.find((user.uuid(), org.uuid())).select(memberships::role).first(conn).optional()?;
    found.flatten().as_deref().map(role).transpose()
}

/// The organizations that a person belongs to, with their role, by age.
pub fn list_of_user(conn: &mut PgConnection, user: UserId) -> QueryResult<Vec<(OrgId, Role)>> {
    let rows: Vec<(Uuid, String)> = memberships::table
        .filter(memberships::user_id.eq(user.uuid()))
        .filter(memberships::role.is_not_null())
        .select((memberships::org_id, memberships::role.assume_not_null()))
        .order(memberships::org_id)
        .load(conn)?;
    rows.into_iter().map(|(org, text): (Uuid, String)| Ok((OrgId::from_uuid(org), role(&text)?))).collect()
}

/// Holds an organization until the transaction ends, so that news of a member and the organization's end do not pass each
/// other unseen. For system transactions.
pub fn hold_org(conn: &mut PgConnection, org: OrgId) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('auth organization ' || $1, 0))")
        .bind::<diesel::sql_types::Text, _>(org.to_string())
        .execute(conn)?;
    Ok(())
}

/// Who has a role in an organization, in one order. For system transactions.
pub fn members(conn: &mut PgConnection, org: OrgId) -> QueryResult<Vec<UserId>> {
    let users: Vec<Uuid> = memberships::table
        .filter(memberships::org_id.eq(org.uuid()))
        .filter(memberships::role.is_not_null())
        .select(memberships::user_id)
        .order(memberships::user_id)
        .load(conn)?;
    Ok(users.into_iter().map(UserId::from_uuid).collect())
}

/// Takes everybody's role in an organization away. For system transactions.
pub fn clear_org(conn: &mut PgConnection, org: OrgId, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(memberships::table)
        .filter(memberships::org_id.eq(org.uuid()))
        .filter(memberships::role.is_not_null())
        .set((memberships::role.eq(None::<String>), memberships::updated_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Remembers that an organization is gone. For system transactions.
pub fn bury_org(conn: &mut PgConnection, org: OrgId, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(deleted_organizations::table)
        .values((deleted_organizations::org_id.eq(org.uuid()), deleted_organizations::deleted_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(())
}

/// Whether an organization is gone. For system transactions.
pub fn is_buried(conn: &mut PgConnection, org: OrgId) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(deleted_organizations::table.find(org.uuid()))).get_result(conn)
}
