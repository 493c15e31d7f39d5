//! Rows of `signing_keys`. For system transactions: keys are nobody's.

use chrono::{DateTime, Utc};
use contracts::KeyId;
use db::diesel::{self, prelude::*, sql_types::BigInt};
use uuid::Uuid;

use super::schema::signing_keys;
use crate::domain::signing_key::KeyTimes;

/// One number for all replicas of this service; means nothing else.
const LOCK: i64 = 0x6175_7468_6b65_7973;

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub times: KeyTimes,
    pub sealed: String,
}

/// Holds the right to change keys until the transaction ends; other replicas wait.
pub fn lock(conn: &mut PgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(conn)?;
    Ok(())
}

pub fn list(conn: &mut PgConnection) -> QueryResult<Vec<StoredKey>> {
    type Row = (Uuid, String, DateTime<Utc>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = signing_keys::table
        .select((signing_keys::id, signing_keys::sealed_key, signing_keys::signs_from, signing_keys::announced_at))
        .order((signing_keys::signs_from, signing_keys::id))
        .load(conn)?;
    let key = |(id, sealed, signs_from, announced): Row| StoredKey {
        times: KeyTimes { id: KeyId::from_uuid(id), signs_from, announced: announced.is_some() },
        sealed,
    };
    Ok(rows.into_iter().map(key).collect())
}

pub fn insert(conn: &mut PgConnection, key: &StoredKey, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::id.eq(key.times.id.uuid()),
            signing_keys::sealed_key.eq(&key.sealed),
            signing_keys::created_at.eq(now),
            signing_keys::signs_from.eq(key.times.signs_from),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn set_announced(conn: &mut PgConnection, id: KeyId, now: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(signing_keys::table.find(id.uuid())).set(signing_keys::announced_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Writes a key that was sealed anew under another master key.
pub fn set_sealed(conn: &mut PgConnection, id: KeyId, sealed: &str) -> QueryResult<()> {
    diesel::update(signing_keys::table.find(id.uuid())).set(signing_keys::sealed_key.eq(sealed)).execute(conn)?;
    Ok(())
}

pub fn delete(conn: &mut PgConnection, ids: &[KeyId]) -> QueryResult<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    diesel::delete(signing_keys::table.filter(signing_keys::id.eq_any(ids))).execute(conn)?;
    Ok(())
}
