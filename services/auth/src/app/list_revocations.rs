//! Which access tokens are void although they have not expired: what a service loads before it serves.

use crate::{
    domain::access::{Allowed, ReadRevocations},
    error::Error,
    state::AppState,
    store::revocations::{self, Revocation},
};

/// All that still matter: no more than were made in the life of one access token.
pub async fn list_revocations(state: &AppState, _: Allowed<ReadRevocations>) -> Result<Vec<Revocation>, Error> {
    let now = state.clock.now();
    state.db.system("list_revocations").tx(move |conn| Ok(revocations::list(conn, now)?)).await
}
