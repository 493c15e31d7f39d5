//! Rows of `users`.

use chrono::{DateTime, Utc};
use contracts::{OrgId, UserId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::users;
use crate::domain::{email::Email, user::User};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub(super) struct Row {
    id: Uuid,
    email: String,
    display_name: String,
    personal_org_id: Uuid,
    disabled_at: Option<DateTime<Utc>>,
    version: i64,
    created_at: DateTime<Utc>,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId::from_uuid(row.id),
            email: row.email,
            display_name: row.display_name,
            personal_org: OrgId::from_uuid(row.personal_org_id),
            disabled_at: row.disabled_at,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// The unique index that says an address is taken.
pub const EMAIL_KEY: &str = "users_email_key_key";

pub fn insert(conn: &mut PgConnection, user: &User, email: &Email) -> QueryResult<()> {
    let row = Row {
        id: user.id.uuid(),
        email: user.email.clone(),
        display_name: user.display_name.clone(),
        personal_org_id: user.personal_org.uuid(),
        disabled_at: user.disabled_at,
        version: user.version,
        created_at: user.created_at,
    };
    diesel::insert_into(users::table).values((row, users::email_key.eq(email.key()))).execute(conn)?;
    Ok(())
}

pub fn find(conn: &mut PgConnection, user: UserId) -> QueryResult<Option<User>> {
    let row = users::table.find(user.uuid()).select(Row::as_select()).first(conn).optional()?;
    Ok(row.map(User::from))
}

/// Counts a change of the person and gives the new version, which is the `sequence` of its event. Holds the row until the
/// transaction ends.
pub fn next_version(conn: &mut PgConnection, user: UserId) -> QueryResult<i64> {
    diesel::update(users::table.find(user.uuid()))
        .set(users::version.eq(users::version + 1))
        .returning(users::version)
        .get_result(conn)
}

/// The person, held until the transaction ends.
pub fn lock(conn: &mut PgConnection, user: UserId) -> QueryResult<Option<User>> {
    let row = users::table.find(user.uuid()).select(Row::as_select()).for_update().first(conn).optional()?;
    Ok(row.map(User::from))
}

pub fn set_disabled(conn: &mut PgConnection, user: &User) -> QueryResult<()> {
    diesel::update(users::table.find(user.id.uuid()))
        .set((users::disabled_at.eq(user.disabled_at), users::version.eq(user.version)))
        .execute(conn)?;
    Ok(())
}

/// Where a page of [`page`] goes on: the last row's creation time and id.
pub type After = (DateTime<Utc>, UserId);

/// Everybody, those who registered first first, at most `limit`. For system transactions.
pub fn page(conn: &mut PgConnection, after: Option<After>, limit: i64) -> QueryResult<Vec<User>> {
    let mut query =
        users::table.select(Row::as_select()).order((users::created_at, users::id)).limit(limit).into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(users::created_at.gt(at).or(users::created_at.eq(at).and(users::id.gt(id.uuid()))));
    }
    Ok(query.load(conn)?.into_iter().map(User::from).collect())
}
