//! Somebody gives a conversation another title or other metadata.

use chrono::{DateTime, Utc};
use contracts::MemorySessionId;
use kit::{ExpectedVersion, http::Patch};
use serde_json::{Map, Value};

use super::get_session::locked;
use crate::{
    domain::{
        access::{Allowed, Write},
        session::Session,
    },
    error::Error,
    state::AppState,
    store::sessions,
};

/// What is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct SessionChange {
    pub title: Patch<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// Only at version `expected`, if one is given.
pub async fn update_session(
    state: &AppState,
    allowed: &Allowed<Write>,
    id: MemorySessionId,
    change: SessionChange,
    expected: ExpectedVersion,
    now: DateTime<Utc>,
) -> Result<Session, Error> {
    let allowed = *allowed;
    state
        .db
        .tenant(allowed.org)
        .tx(move |conn| {
            let mut session = locked(conn, &allowed, id)?;
            expected.check(session.version)?;
            session.title = change.title.apply_to(session.title);
            session.metadata = change.metadata.unwrap_or(session.metadata);
            session.version += 1;
            session.updated_at = now;
            sessions::update(conn, &session)?;
            Ok(session)
        })
        .await
}
