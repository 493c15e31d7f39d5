//! `users.membership_*` and `users.organization_deleted`.

use contracts::{
    Event, Role,
    users::v1::{MembershipAdded, MembershipRemoved, MembershipRoleChanged, OrganizationDeleted},
};
use events::{Delivery, Failure};

use crate::{
    app::{apply_membership::apply_membership, delete_organization::delete_organization},
    domain::membership::Membership,
    error::Error,
    state::AppState,
};

pub async fn added(state: AppState, delivery: Delivery<MembershipAdded>) -> Result<(), Failure> {
    let MembershipAdded { membership_id, organization_id, user_id, role, .. } = &delivery.event;
    let membership = read(&delivery, [membership_id, organization_id, user_id], Some(role))?;
    apply(state, delivery, membership).await
}

pub async fn role_changed(state: AppState, delivery: Delivery<MembershipRoleChanged>) -> Result<(), Failure> {
    let MembershipRoleChanged { membership_id, organization_id, user_id, role, .. } = &delivery.event;
    let membership = read(&delivery, [membership_id, organization_id, user_id], Some(role))?;
    apply(state, delivery, membership).await
}

pub async fn removed(state: AppState, delivery: Delivery<MembershipRemoved>) -> Result<(), Failure> {
    let MembershipRemoved { membership_id, organization_id, user_id, .. } = &delivery.event;
    let membership = read(&delivery, [membership_id, organization_id, user_id], None)?;
    apply(state, delivery, membership).await
}

pub async fn organization_deleted(state: AppState, delivery: Delivery<OrganizationDeleted>) -> Result<(), Failure> {
    let org = delivery.event.organization_id.parse().map_err(Failure::fail)?;
    delete_organization(&state, delivery.id, delivery.origin, org).await.map_err(failure)
}

fn read<E>(
    delivery: &Delivery<E>,
    [membership, org, user]: [&String; 3],
    role: Option<&String>,
) -> Result<Membership, Failure> {
    Ok(Membership {
        id: membership.parse().map_err(Failure::fail)?,
        org: org.parse().map_err(Failure::fail)?,
        user: user.parse().map_err(Failure::fail)?,
        // A role that this version does not know is a reason to look, not to guess.
        role: role.map(|role| role.parse::<Role>()).transpose().map_err(Failure::fail)?,
        sequence: delivery.sequence,
    })
}

async fn apply<E: Event>(state: AppState, delivery: Delivery<E>, membership: Membership) -> Result<(), Failure> {
    apply_membership(&state, delivery.id, delivery.origin, membership).await.map_err(failure)
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Db(error) => error.into(),
        other => Failure::retry(other),
    }
}
