//! Revokes API keys that have a successor and whose grace is over. They stopped at that moment by themselves; this tells of
//! it.

use db::diesel::PgConnection;

use super::api_keys::{By, revoke};
use crate::{domain::api_key::Reason, error::Error, state::AppState, store::api_keys};

/// Rows of one transaction.
const BATCH: i64 = 100;

/// Gives the number of keys.
pub async fn end_replaced_keys(state: &AppState) -> Result<usize, Error> {
    let mut all = 0;
    loop {
        let (origin, inner) = (state.origin(None, None), state.clone());
        let at = origin.at;
        let ending = move |conn: &mut PgConnection| {
            let mut ended = Vec::new();
            for key in api_keys::lock_replaced(conn, at, BATCH)? {
                ended.extend(revoke(conn, &inner, &origin, key, Reason::Rotated, &By::default())?);
            }
            Ok::<_, Error>(ended)
        };
        let ended = state.db.system("end_replaced_keys").tx(ending).await?;
        state.deny_api_keys(&ended, at);
        all += ended.len();
        if ended.is_empty() {
            return Ok(all);
        }
    }
}
