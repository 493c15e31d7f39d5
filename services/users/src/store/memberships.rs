//! Rows of `memberships`.

use chrono::{DateTime, Utc};
use contracts::{MembershipId, OrgId, Role, UserId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::{memberships, profiles};
use crate::domain::membership::{Member, Membership};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships)]
struct Row {
    id: Uuid,
    org_id: Uuid,
    user_id: Uuid,
    role: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Membership {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: MembershipId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            user: UserId::from_uuid(row.user_id),
            role: role(&row.role)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A role as the database spells it.
pub(super) fn role(text: &str) -> QueryResult<Role> {
    text.parse().map_err(|e| diesel::result::Error::DeserializationError(Box::new(e)))
}

pub fn find_in_org(conn: &mut PgConnection, org: OrgId, user: UserId) -> QueryResult<Option<Membership>> {
    memberships::table
        .filter(memberships::org_id.eq(org.uuid()))
        .filter(memberships::user_id.eq(user.uuid()))
        .select(Row::as_select())
        .first(conn)
        .optional()?
        .map(Membership::try_from)
        .transpose()
}

pub fn insert(conn: &mut PgConnection, membership: &Membership) -> QueryResult<()> {
    let row = Row {
        id: membership.id.uuid(),
        org_id: membership.org.uuid(),
        user_id: membership.user.uuid(),
        role: membership.role.as_str().to_owned(),
        version: membership.version,
        created_at: membership.created_at,
        updated_at: membership.updated_at,
    };
    diesel::insert_into(memberships::table).values(row).execute(conn)?;
    Ok(())
}

/// Where a page of [`list_in_org`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, MembershipId);

type MemberRow = (Row, Option<(String, String, Option<String>)>);

/// The members of an organization, those who joined first first, at most `limit`.
pub fn list_in_org(conn: &mut PgConnection, org: OrgId, after: Option<After>, limit: i64) -> QueryResult<Vec<Member>> {
    let mut query = memberships::table
        .left_join(profiles::table.on(profiles::user_id.eq(memberships::user_id)))
        .filter(memberships::org_id.eq(org.uuid()))
        .select((Row::as_select(), (profiles::display_name, profiles::email, profiles::avatar_url).nullable()))
        .order((memberships::created_at, memberships::id))
        .limit(limit)
        .into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            memberships::created_at.gt(at).or(memberships::created_at.eq(at).and(memberships::id.gt(id.uuid()))),
        );
    }
    let rows: Vec<MemberRow> = query.load(conn)?;
    rows.into_iter()
        .map(|(row, profile)| {
            let (display_name, email, avatar_url) = match profile {
                Some((name, email, avatar)) => (Some(name), Some(email), avatar),
                None => (None, None, None),
            };
            Ok(Member { membership: row.try_into()?, display_name, email, avatar_url })
        })
        .collect()
}
