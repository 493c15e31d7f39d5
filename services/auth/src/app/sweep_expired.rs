//! Deletes what nobody can use any more.

use chrono::TimeDelta;

use crate::{
    domain::refresh_token::GRACE,
    error::Error,
    state::AppState,
    store::{api_keys, attempts, refresh_tokens, revocations, sessions},
};

/// How long an ended session is kept, so that a copied refresh token of it is still told from nonsense.
const KEPT: TimeDelta = TimeDelta::days(7);
/// How long a key that has ended can still be read; the audit log knows of it longer.
const KEYS_KEPT: TimeDelta = TimeDelta::days(90);

/// How many rows went, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub successors: usize,
    pub attempts: usize,
    pub revocations: usize,
    pub sessions: usize,
    pub api_keys: usize,
}

pub async fn sweep_expired(state: &AppState) -> Result<Swept, Error> {
    let now = state.clock.now();
    state
        .db
        .system("sweep_expired")
        .tx(move |conn| {
            Ok(Swept {
                successors: refresh_tokens::wipe_successors(conn, now - GRACE)?,
                attempts: attempts::delete_over(conn, now)?,
                revocations: revocations::delete_over(conn, now)?,
                sessions: sessions::delete_ended(conn, now - KEPT)?,
                api_keys: api_keys::delete_ended(conn, now - KEYS_KEPT)?,
            })
        })
        .await
}
