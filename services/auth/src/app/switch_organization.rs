//! Somebody goes on working in another of their organizations, in the same session.

use contracts::OrgId;
use kit::Principal;

use super::{
    sessions::live,
    tokens::{AccessToken, Standing, mint},
};
use crate::{
    domain::session::Session,
    error::Error,
    state::AppState,
    store::{memberships, sessions},
};

/// The session acts in `org` from now on, also after a refresh. An organization that the caller does not belong to does
/// not exist.
pub async fn switch_organization(state: &AppState, who: &Principal, org: OrgId) -> Result<AccessToken, Error> {
    let (origin, inner, user, id) = (who.origin(&*state.clock), state.clone(), who.user, who.session);
    state
        .db
        .person(user)
        .tx(move |conn| {
            let session = live(conn, user, id, &origin)?;
            let role = memberships::role_in_org(conn, user, org)?.ok_or(Error::OrganizationNotFound(org))?;
            let session = Session { org, last_seen_at: origin.at, ..session };
            sessions::touch(conn, &session)?;
            mint(&inner, &session, Standing { org, role }, &origin)
        })
        .await
}
