//! Rows of `sessions`.

use chrono::{DateTime, Utc};
use contracts::{OrgId, SessionId, TokenFamilyId, UserId};
use db::diesel::{self, prelude::*};
use uuid::Uuid;

use super::schema::sessions;
use crate::domain::session::{self, Device, Reason, Session};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
struct Row {
    family_id: Uuid,
    id: Uuid,
    user_id: Uuid,
    org_id: Uuid,
    started_at: DateTime<Utc>,
    authenticated_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    user_agent: Option<String>,
    address: Option<String>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            family: TokenFamilyId::from_uuid(row.family_id),
            id: SessionId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            org: OrgId::from_uuid(row.org_id),
            started_at: row.started_at,
            authenticated_at: row.authenticated_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            device: Device { user_agent: row.user_agent, address: row.address.and_then(|text| text.parse().ok()) },
            revoked_at: row.revoked_at,
        }
    }
}

pub fn insert(conn: &mut PgConnection, session: &Session) -> QueryResult<()> {
    let row = Row {
        family_id: session.family.uuid(),
        id: session.id.uuid(),
        user_id: session.user.uuid(),
        org_id: session.org.uuid(),
        started_at: session.started_at,
        authenticated_at: session.authenticated_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        user_agent: session.device.user_agent.clone(),
        address: session.device.address.map(|address| address.to_string()),
        revoked_at: session.revoked_at,
    };
    diesel::insert_into(sessions::table).values(row).execute(conn)?;
    Ok(())
}

/// A person's session, held until the transaction ends.
pub fn lock(conn: &mut PgConnection, user: UserId, id: SessionId) -> QueryResult<Option<Session>> {
    let row = sessions::table
        .filter(sessions::id.eq(id.uuid()))
        .filter(sessions::user_id.eq(user.uuid()))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .optional()?;
    Ok(row.map(Session::from))
}

/// The session of a line of refresh tokens, held until the transaction ends.
pub fn lock_family(conn: &mut PgConnection, family: TokenFamilyId) -> QueryResult<Option<Session>> {
    let row = sessions::table.find(family.uuid()).select(Row::as_select()).for_update().first(conn).optional()?;
    Ok(row.map(Session::from))
}

/// All sessions of a person that did not end, held in one order, so that two transactions never wait for each other.
pub fn lock_open(conn: &mut PgConnection, user: UserId) -> QueryResult<Vec<Session>> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::user_id.eq(user.uuid()))
        .filter(sessions::revoked_at.is_null())
        .select(Row::as_select())
        .order(sessions::family_id)
        .for_update()
        .load(conn)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// What a person sees of where they are signed in, the last used first. More than a hundred would be a program's.
pub fn list_live(conn: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> QueryResult<Vec<Session>> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::user_id.eq(user.uuid()))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::last_seen_at.gt(now - session::IDLE))
        .select(Row::as_select())
        .order((sessions::last_seen_at.desc(), sessions::id))
        .limit(100)
        .load(conn)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// Writes what a request to a live session changes: organization, times and device.
pub fn touch(conn: &mut PgConnection, session: &Session) -> QueryResult<()> {
    diesel::update(sessions::table.find(session.family.uuid()))
        .set((
            sessions::org_id.eq(session.org.uuid()),
            sessions::authenticated_at.eq(session.authenticated_at),
            sessions::last_seen_at.eq(session.last_seen_at),
            sessions::user_agent.eq(&session.device.user_agent),
            sessions::address.eq(session.device.address.map(|address| address.to_string())),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn set_revoked(conn: &mut PgConnection, session: &Session, reason: Reason) -> QueryResult<()> {
    diesel::update(sessions::table.find(session.family.uuid()))
        .set((sessions::revoked_at.eq(session.revoked_at), sessions::revoke_reason.eq(reason.as_str())))
        .execute(conn)?;
    Ok(())
}

/// Gives a session its new id.
pub fn set_id(conn: &mut PgConnection, session: &Session) -> QueryResult<()> {
    diesel::update(sessions::table.find(session.family.uuid()))
        .set(sessions::id.eq(session.id.uuid()))
        .execute(conn)?;
    Ok(())
}

/// Deletes what ended before `before`, with its refresh tokens. Gives the number. For system transactions.
pub fn delete_ended(conn: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    let ended = sessions::revoked_at
        .lt(before)
        .assume_not_null()
        .or(sessions::expires_at.lt(before))
        .or(sessions::last_seen_at.lt(before - session::IDLE));
    diesel::delete(sessions::table.filter(ended)).execute(conn)
}
