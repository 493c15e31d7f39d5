//! Somebody asks what became of what they gave to take facts from.

use contracts::ExtractionId;
use db::diesel::PgConnection;

use crate::{
    domain::{
        access::{Allowed, Read},
        extraction::Extraction,
    },
    error::Error,
    state::AppState,
    store::extractions,
};

/// One of somebody else does not exist for the caller.
pub async fn get_extraction(state: &AppState, allowed: &Allowed<Read>, id: ExtractionId) -> Result<Extraction, Error> {
    let allowed = *allowed;
    let find = move |conn: &mut PgConnection| {
        let found = extractions::find_in_org(conn, allowed.org, id)?;
        let seen = found.filter(|extraction| allowed.sees(extraction.subject.as_deref()));
        seen.ok_or(Error::ExtractionNotFound(id))
    };
    state.db.tenant(allowed.org).tx(find).await
}
