//! Somebody reads an organization that they belong to.

use contracts::{OrgId, UserId};

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

/// An organization that the person does not belong to does not exist for them.
pub async fn get_organization(state: &AppState, who: UserId, org: OrgId) -> Result<(Organization, Membership), Error> {
    state
        .db
        .tenant(org)
        .as_user(who)
        .tx(move |conn| {
            let membership = memberships::find_in_org(conn, org, who)?.ok_or(Error::OrganizationNotFound(org))?;
            let allowed: Allowed<ViewOrganization> = access::allow(&membership)?;
            let organization = organizations::find(conn, allowed.org)?.ok_or(Error::OrganizationNotFound(org))?;
            Ok((organization, membership))
        })
        .await
}
