//! Writes when API keys were last used.

use crate::{error::Error, state::AppState, store::api_keys};

/// Keys of one statement.
const BATCH: usize = 1_000;

/// Gives the number of keys. What could not be written is kept for the next time.
pub async fn write_key_uses(state: &AppState) -> Result<usize, Error> {
    let uses = state.key_uses.take();
    let mut written = 0;
    for (at, batch) in uses.chunks(BATCH).enumerate() {
        let rows = batch.to_vec();
        match state.db.system("write_key_uses").tx(move |conn| Ok::<_, Error>(api_keys::note_uses(conn, &rows)?)).await
        {
            Ok(rows) => written += rows,
            Err(error) => {
                uses[at * BATCH..].iter().for_each(|(key, used_at)| state.key_uses.note(*key, *used_at));
                return Err(error);
            }
        }
    }
    Ok(written)
}
