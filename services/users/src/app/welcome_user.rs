//! A newly registered person gets a profile, and owns the personal organization that auth named.

use contracts::{MembershipId, OrgId, Origin, Role, UserId};
use db::{diesel::PgConnection, outbox};
use kit::Ids;

use crate::{
    domain::{
        membership::Membership,
        organization::{NewOrganization, Organization, Slug},
        profile::Profile,
    },
    error::Error,
    store::{memberships, organizations, profiles},
};

/// What auth knows of a person.
#[derive(Debug, Clone)]
pub struct Registration {
    pub user: UserId,
    pub personal_org: OrgId,
    pub email: String,
    pub display_name: String,
}

/// Runs in a transaction that is scoped to the person and their personal organization. Doing it twice is boring: the
/// profile's insert decides who is first, and everything else follows from it.
pub fn welcome_user(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    registration: Registration,
) -> Result<(), Error> {
    let Registration { user, personal_org, email, display_name } = registration;
    if !profiles::insert_once(conn, &Profile::new(user, email, display_name.clone(), origin.at))? {
        return Ok(());
    }
    let mut tail = [0; 4];
    ids.random(&mut tail);
    let new = NewOrganization {
        id: personal_org,
        slug: Slug::derive(&display_name, tail),
        name: display_name,
        personal: true,
        created_by: user,
    };
    found_organization(conn, ids, origin, new)?;
    Ok(())
}

/// Inserts an organization with its first owner, and both events. Shared with `create_organization`.
pub(super) fn found_organization(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    new: NewOrganization,
) -> Result<(Organization, Membership), Error> {
    let owner = new.created_by;
    let (organization, created) = Organization::create(new, origin.at);
    let id = MembershipId::from_uuid(ids.uuid());
    let (membership, added) = Membership::add(id, organization.id, owner, Role::Owner, origin.at);
    let origin = Origin { org: Some(organization.id), ..origin.clone() };
    organizations::insert(conn, &organization)?;
    memberships::insert(conn, &membership)?;
    outbox::append(conn, ids, &origin, organization.version, &created)?;
    outbox::append(conn, ids, &origin, membership.version, &added)?;
    Ok((organization, membership))
}
