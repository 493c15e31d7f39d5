//! Rows of `revocations`: which access tokens are void before they expire.

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, SessionId, UserId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::revocations;
use crate::domain::{api_key::key_tokens_expire_at, session::tokens_expire_at};

/// Whose tokens a revocation voids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voids {
    /// Every token of a session.
    Session(SessionId),
    /// Every token of the person that was issued before.
    User(UserId),
    /// Every token that was exchanged for a key.
    ApiKey(ApiKeyId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub voids: Voids,
    pub revoked_at: DateTime<Utc>,
}

impl Revocation {
    /// When the last of the tokens expires by itself.
    pub fn until(&self) -> DateTime<Utc> {
        match self.voids {
            Voids::Session(_) | Voids::User(_) => tokens_expire_at(self.revoked_at),
            Voids::ApiKey(_) => key_tokens_expire_at(self.revoked_at),
        }
    }
}

const SESSION: &str = "session";
const USER: &str = "user";
const API_KEY: &str = "api_key";

/// `owner` is the person whose tokens they are.
pub fn insert(conn: &mut PgConnection, revocation: &Revocation, owner: UserId) -> QueryResult<()> {
    let (kind, subject) = match revocation.voids {
        Voids::Session(id) => (SESSION, id.uuid()),
        Voids::User(id) => (USER, id.uuid()),
        Voids::ApiKey(id) => (API_KEY, id.uuid()),
    };
    diesel::insert_into(revocations::table)
        .values((
            revocations::kind.eq(kind),
            revocations::subject_id.eq(subject),
            revocations::user_id.eq(owner.uuid()),
            revocations::revoked_at.eq(revocation.revoked_at),
            revocations::expires_at.eq(revocation.until()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Those that still matter: of the minutes that an access token lives. For system transactions.
pub fn list(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Vec<Revocation>> {
    let rows: Vec<(String, Uuid, DateTime<Utc>)> = revocations::table
        .filter(revocations::expires_at.gt(now))
        .select((revocations::kind, revocations::subject_id, revocations::revoked_at))
        .load(conn)?;
    let read = |(kind, id, revoked_at): (String, Uuid, _)| {
        let voids = match kind.as_str() {
            SESSION => Voids::Session(SessionId::from_uuid(id)),
            API_KEY => Voids::ApiKey(ApiKeyId::from_uuid(id)),
            _ => Voids::User(UserId::from_uuid(id)),
        };
        Revocation { voids, revoked_at }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Deletes those that no longer matter. Gives the number. For system transactions.
pub fn delete_over(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(revocations::table.filter(revocations::expires_at.le(now))).execute(conn)
}
