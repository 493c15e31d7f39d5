//! The users service deleted an organization: nobody has a role in it any more.

use contracts::{EventId, OrgId, Origin};
use db::{diesel::PgConnection, inbox};

use super::{
    api_keys::revoke_all,
    sessions::{Voided, renew_all},
};
use crate::{
    domain::api_key::Reason,
    error::Error,
    state::AppState,
    store::{api_keys::Of, memberships, users},
};

/// `event` names the news: hearing it again changes nothing.
pub async fn delete_organization(state: &AppState, event: EventId, origin: Origin, org: OrgId) -> Result<(), Error> {
    let (inner, at) = (state.clone(), origin.at);
    let applying = move |conn: &mut PgConnection| {
        inbox::once(conn, crate::events::USERS_QUEUE, event, |conn| bury(conn, &inner, &origin, org))
    };
    let void = state.db.system("delete_organization").tx(applying).await?;
    void.unwrap_or_default().deny(state, at);
    Ok(())
}

/// One transaction for all members: whoever is held here goes on signing in or refreshing afterwards, without the role.
fn bury(conn: &mut PgConnection, state: &AppState, origin: &Origin, org: OrgId) -> Result<Voided, Error> {
    memberships::hold_org(conn, org)?;
    memberships::bury_org(conn, org, origin.at)?;
    let mut sessions = Vec::new();
    for user in memberships::members(conn, org)? {
        users::lock(conn, user)?;
        sessions.extend(renew_all(conn, state, origin, user)?);
    }
    let api_keys = revoke_all(conn, state, origin, Of::Organization(org), Reason::OrganizationDeleted)?;
    memberships::clear_org(conn, org, origin.at)?;
    Ok(Voided { sessions, api_keys })
}
