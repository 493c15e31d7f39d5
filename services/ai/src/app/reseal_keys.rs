//! Keys of providers are sealed anew under the first master key, so that an old one can be dropped.

use crate::{domain::provider::ProviderRecord, error::Error, state::AppState, store::providers};

/// Returns how many were sealed anew. One that does not open stays as it is; its master key may come back.
pub async fn reseal_keys(state: &AppState) -> Result<usize, Error> {
    let keyring = state.keyring.clone();
    state
        .db
        .system("reseal")
        .tx(move |conn| {
            let mut resealed = 0;
            for (id, sealed) in providers::lock_sealed_keys(conn)? {
                if !keyring.is_outdated(&sealed) {
                    continue;
                }
                let place = ProviderRecord::place(id);
                match keyring.open(&place, &sealed) {
                    Ok(key) => {
                        providers::set_sealed(conn, id, &keyring.seal(&place, &key)?)?;
                        resealed += 1;
                    }
                    Err(error) => tracing::error!(provider.id = %id, %error, "A provider's key does not open"),
                }
            }
            Ok(resealed)
        })
        .await
}
