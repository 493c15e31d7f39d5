//! Rows of `profiles`.

use chrono::{DateTime, Utc};
use contracts::UserId;
use db::diesel::{self, prelude::*};
use serde_json::Value;
use uuid::Uuid;

use super::schema::profiles;
use crate::domain::profile::Profile;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = profiles, primary_key(user_id), treat_none_as_null = true)]
pub(super) struct Row {
    user_id: Uuid,
    email: String,
    display_name: String,
    avatar_url: Option<String>,
    locale: String,
    time_zone: String,
    preferences: Value,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Profile {
    fn from(row: Row) -> Self {
        let preferences = match row.preferences {
            Value::Object(map) => map,
            // The table's check constraint admits objects only.
            _ => serde_json::Map::new(),
        };
        Self {
            user_id: UserId::from_uuid(row.user_id),
            email: row.email,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            locale: row.locale,
            time_zone: row.time_zone,
            preferences,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<&Profile> for Row {
    fn from(profile: &Profile) -> Self {
        Self {
            user_id: profile.user_id.uuid(),
            email: profile.email.clone(),
            display_name: profile.display_name.clone(),
            avatar_url: profile.avatar_url.clone(),
            locale: profile.locale.clone(),
            time_zone: profile.time_zone.clone(),
            preferences: Value::Object(profile.preferences.clone()),
            version: profile.version,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}

pub fn find(conn: &mut PgConnection, user: UserId) -> QueryResult<Option<Profile>> {
    let row = profiles::table.find(user.uuid()).select(Row::as_select()).first(conn).optional()?;
    Ok(row.map(Profile::from))
}

/// Like [`find`], and nobody else changes the row until this transaction ends.
pub fn lock(conn: &mut PgConnection, user: UserId) -> QueryResult<Option<Profile>> {
    let row = profiles::table.find(user.uuid()).select(Row::as_select()).for_update().first(conn).optional()?;
    Ok(row.map(Profile::from))
}

/// Inserts unless the person has a profile already; says whether it did.
pub fn insert_once(conn: &mut PgConnection, profile: &Profile) -> QueryResult<bool> {
    let inserted =
        diesel::insert_into(profiles::table).values(Row::from(profile)).on_conflict_do_nothing().execute(conn)?;
    Ok(inserted == 1)
}

pub fn update(conn: &mut PgConnection, profile: &Profile) -> QueryResult<()> {
    diesel::update(profiles::table.find(profile.user_id.uuid())).set(Row::from(profile)).execute(conn)?;
    Ok(())
}
