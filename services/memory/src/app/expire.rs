//! Memories whose time is over are forgotten. No search gives them before that either.

use contracts::Origin;

use super::delete_memory::forget_memories;
use crate::{error::Error, state::AppState, store::memories};

/// Memories of one transaction.
const BATCH: i64 = 200;

/// Forgets some; whether there were any.
pub async fn expire(state: &AppState) -> Result<bool, Error> {
    let (ids, now) = (state.ids.clone(), state.clock.now());
    state
        .db
        .system("expiry")
        .tx(move |conn| {
            let expired = memories::expired(conn, now, BATCH)?;
            for (org, id) in &expired {
                let origin = Origin { actor: None, org: Some(*org), traceparent: None, at: now };
                forget_memories(conn, &*ids, &origin, *org, &[*id])?;
            }
            Ok(!expired.is_empty())
        })
        .await
}
