//! Rows of `credentials`: the password hash of a person, as a PHC string.

use chrono::{DateTime, Utc};
use contracts::UserId;
use db::diesel::{self, prelude::*};

use super::{
    schema::{credentials, users},
    users::Row as UserRow,
};
use crate::domain::user::User;

pub fn insert(conn: &mut PgConnection, user: UserId, hash: &str, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(credentials::table)
        .values((
            credentials::user_id.eq(user.uuid()),
            credentials::password_hash.eq(hash),
            credentials::changed_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whoever has this address, with their hash. For system transactions: nobody is signed in yet.
pub fn find_by_email_key(conn: &mut PgConnection, email_key: &str) -> QueryResult<Option<(User, String)>> {
    let found: Option<(UserRow, String)> = users::table
        .inner_join(credentials::table)
        .filter(users::email_key.eq(email_key))
        .select((UserRow::as_select(), credentials::password_hash))
        .first(conn)
        .optional()?;
    Ok(found.map(|(row, hash)| (row.into(), hash)))
}

pub fn find(conn: &mut PgConnection, user: UserId) -> QueryResult<Option<String>> {
    credentials::table.find(user.uuid()).select(credentials::password_hash).first(conn).optional()
}

/// Replaces the hash, unless another change came between: `false` then.
pub fn replace(
    conn: &mut PgConnection,
    user: UserId,
    before: &str,
    hash: &str,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let replaced = diesel::update(credentials::table.find(user.uuid()))
        .filter(credentials::password_hash.eq(before))
        .set((credentials::password_hash.eq(hash), credentials::changed_at.eq(now)))
        .execute(conn)?;
    Ok(replaced == 1)
}
