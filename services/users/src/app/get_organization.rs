//! Somebody reads an organization that they belong to.

use contracts::OrgId;
use kit::Principal;

use crate::{
    domain::{
        access::{self, Allowed, ViewOrganization},
        membership::Membership,
        organization::Organization,
    },
    error::Error,
    state::AppState,
    store::{memberships, organizations},
};

/// An organization that the person does not belong to does not exist for them, nor for a key any but its own.
pub async fn get_organization(
    state: &AppState,
    who: &Principal,
    org: OrgId,
) -> Result<(Organization, Membership), Error> {
    let org = within_reach(who, org)?;
    let user = who.user;
    state
        .db
        .tenant(org)
        .as_user(user)
        .tx(move |conn| {
            let membership = memberships::find_in_org(conn, org, user)?.ok_or(Error::OrganizationNotFound(org))?;
            let allowed: Allowed<ViewOrganization> = access::allow(&membership)?;
            let organization = organizations::find(conn, allowed.org)?.ok_or(Error::OrganizationNotFound(org))?;
            Ok((organization, membership))
        })
        .await
}

/// Refuses an organization that the caller cannot look into, whoever belongs to it.
pub(super) fn within_reach(who: &Principal, org: OrgId) -> Result<OrgId, Error> {
    match who.confined_to() {
        Some(own) if own != org => Err(Error::OrganizationNotFound(org)),
        _ => Ok(org),
    }
}
