//! What was said in a call, for memory: there until memory has it, and no longer than it may take to come back from an
//! outage.

use chrono::TimeDelta;
use contracts::{CompletionId, OrgId, UserId};

use crate::{domain::turn::Finished, error::Error, state::AppState, store::turns};

/// How long turns wait to be fetched.
const KEPT: TimeDelta = TimeDelta::days(7);

/// The turn of a call.
///
/// # Errors
/// [`Error::TurnNotFound`] when it was not to be remembered, or is remembered by now.
pub async fn get_turn(state: &AppState, org: OrgId, id: CompletionId) -> Result<Finished, Error> {
    let found = state.db.tenant(org).tx(move |conn| Ok::<_, db::Error>(turns::find(conn, org, id)?)).await?;
    found.ok_or(Error::TurnNotFound(id))
}

/// Memory has it.
pub async fn delete_turn(state: &AppState, org: OrgId, id: CompletionId) -> Result<(), Error> {
    Ok(state.db.tenant(org).tx(move |conn| Ok::<_, db::Error>(turns::delete(conn, org, id)?)).await?)
}

/// Deletes what a person said in all organizations. What an application's users said with the person's key is theirs.
pub async fn erase_turns(state: &AppState, user: UserId) -> Result<(), db::Error> {
    state.db.system("turns").tx(move |conn| Ok::<_, db::Error>(turns::delete_of(conn, user)?)).await
}

/// Deletes what nobody fetched; how many turns there were.
pub async fn forget_turns(state: &AppState) -> Result<usize, Error> {
    let before = state.clock.now() - KEPT;
    let system = state.db.system("turns");
    Ok(system.tx(move |conn| Ok::<_, db::Error>(turns::delete_before(conn, before)?)).await?)
}
