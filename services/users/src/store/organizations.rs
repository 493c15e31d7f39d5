//! Rows of `organizations`.

use chrono::{DateTime, Utc};
use contracts::{OrgId, Role, UserId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::{memberships, organizations};
use crate::domain::organization::{Organization, Slug};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = organizations)]
struct Row {
    id: Uuid,
    name: String,
    slug: String,
    personal: bool,
    created_by: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Organization {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: OrgId::from_uuid(row.id),
            name: row.name,
            slug: Slug::parse(&row.slug).map_err(|e| diesel::result::Error::DeserializationError(e.into()))?,
            personal: row.personal,
            created_by: UserId::from_uuid(row.created_by),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&Organization> for Row {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.id.uuid(),
            name: organization.name.clone(),
            slug: organization.slug.as_str().to_owned(),
            personal: organization.personal,
            created_by: organization.created_by.uuid(),
            version: organization.version,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

pub fn find(conn: &mut PgConnection, id: OrgId) -> QueryResult<Option<Organization>> {
    organizations::table
        .find(id.uuid())
        .select(Row::as_select())
        .first(conn)
        .optional()?
        .map(Organization::try_from)
        .transpose()
}

pub fn insert(conn: &mut PgConnection, organization: &Organization) -> QueryResult<()> {
    diesel::insert_into(organizations::table).values(Row::from(organization)).execute(conn)?;
    Ok(())
}

/// Where a page of [`list_of`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, OrgId);

/// The organizations that a person belongs to with their role there, oldest first, at most `limit`; or of them `only` one.
pub fn list_of(
    conn: &mut PgConnection,
    user: UserId,
    only: Option<OrgId>,
    after: Option<After>,
    limit: i64,
) -> QueryResult<Vec<(Organization, Role)>> {
    let mut query = organizations::table
        .inner_join(memberships::table)
        .filter(memberships::user_id.eq(user.uuid()))
        .select((Row::as_select(), memberships::role))
        .order((organizations::created_at, organizations::id))
        .limit(limit)
        .into_boxed();
    if let Some(only) = only {
        query = query.filter(organizations::id.eq(only.uuid()));
    }
    if let Some((at, id)) = after {
        query = query.filter(
            organizations::created_at.gt(at).or(organizations::created_at.eq(at).and(organizations::id.gt(id.uuid()))),
        );
    }
    let rows: Vec<(Row, String)> = query.load(conn)?;
    rows.into_iter().map(|(row, role)| Ok((row.try_into()?, super::memberships::role(&role)?))).collect()
}
