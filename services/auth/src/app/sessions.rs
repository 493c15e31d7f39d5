//! Shared by what ends sessions: the row, the revocation that verifiers load at their start, and the event for those that
//! run, in one transaction.

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, Origin, SessionId, UserId};
use db::{audit, diesel::PgConnection, outbox};
use kit::NewId;
use serde_json::json;

use crate::{
    domain::session::{Device, Reason, Session},
    error::Error,
    state::AppState,
    store::{
        revocations::{self, Revocation, Voids},
        sessions,
    },
};

/// Whose access tokens are void after a change.
#[derive(Debug, Default)]
pub(super) struct Voided {
    pub sessions: Vec<SessionId>,
    pub api_keys: Vec<ApiKeyId>,
}

impl Voided {
    /// Refuses them in this process at once, after the commit.
    pub fn deny(&self, state: &AppState, now: DateTime<Utc>) {
        state.deny(&self.sessions, now);
        state.deny_api_keys(&self.api_keys, now);
    }
}

/// The session that a token names, when it still lives; held until the transaction ends.
pub(super) fn live(conn: &mut PgConnection, user: UserId, id: SessionId, origin: &Origin) -> Result<Session, Error> {
    sessions::lock(conn, user, id)?.filter(|session| session.is_live(origin.at)).ok_or(Error::SessionEnded)
}

/// Ends a session that the caller holds, and gives its id; nothing happens to one that ended before.
pub(super) fn end(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    session: Session,
    reason: Reason,
    device: &Device,
) -> Result<Option<SessionId>, Error> {
    let Ok((session, event)) = session.revoke(reason, origin.at) else { return Ok(None) };
    sessions::set_revoked(conn, &session, reason)?;
    void(conn, origin, session.user, session.id)?;
    outbox::append(conn, &*state.ids, &Origin { org: Some(session.org), ..origin.clone() }, 2, &event)?;
    let subject = session.id.to_string();
    let details = json!({"reason": reason.as_str(), "user_id": session.user});
    note(conn, state, origin, "session.revoked", "session", &subject, device, details)?;
    Ok(Some(session.id))
}

/// Gives every live session of a person a new id, so that no token issued so far is good; gives the old ids. The caller
/// holds the person.
pub(super) fn renew_all(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    user: UserId,
) -> Result<Vec<SessionId>, Error> {
    let mut void_ids = Vec::new();
    for session in sessions::lock_open(conn, user)?.into_iter().filter(|session| session.is_live(origin.at)) {
        let old = session.id;
        let (session, revoked, started) = session.renew(state.ids.new(), origin.at);
        sessions::set_id(conn, &session)?;
        void(conn, origin, user, old)?;
        let origin = Origin { org: Some(session.org), ..origin.clone() };
        outbox::append(conn, &*state.ids, &origin, 2, &revoked)?;
        outbox::append(conn, &*state.ids, &origin, 1, &started)?;
        void_ids.push(old);
    }
    Ok(void_ids)
}

fn void(conn: &mut PgConnection, origin: &Origin, user: UserId, session: SessionId) -> Result<(), Error> {
    revocations::insert(conn, &Revocation { voids: Voids::Session(session), revoked_at: origin.at }, user)?;
    Ok(())
}

/// Adds a line to the audit log. It belongs to the person and to no organization: where somebody signs in is not the
/// business of those they work with.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub(super) fn note(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    action: &str,
    subject_type: &str,
    subject_id: &str,
    device: &Device,
    details: serde_json::Value,
) -> Result<(), Error> {
    let entry = audit::Entry { action, subject_type, subject_id, address: device.address, details };
    audit::append(conn, &*state.ids, &Origin { org: None, ..origin.clone() }, &entry)?;
    Ok(())
}
