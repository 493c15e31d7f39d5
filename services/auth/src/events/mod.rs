//! What this service hears: memberships from the users service, and its own revocations on every replica.

mod memberships;

use std::sync::Arc;

use contracts::users::v1::{MembershipAdded, MembershipRemoved, MembershipRoleChanged, OrganizationDeleted};
use events::{Broker, Consumer, ConsumerSpec, Revocation, RevocationKind};
use kit::Task;

use crate::{app::list_revocations::list_revocations, domain::access, state::AppState, store::revocations::Voids};

/// The queue for what the users service publishes.
pub const USERS_QUEUE: &str = "auth.users";

/// Keeps the projection of memberships.
pub fn users(state: &AppState, broker: &Broker) -> Task {
    let state = || state.clone();
    let (added, changed, removed, deleted) = (state(), state(), state(), state());
    Consumer::new(broker, &state().db, ConsumerSpec::projection(USERS_QUEUE))
        .on::<MembershipAdded>(move |delivery| memberships::added(added.clone(), delivery))
        .on::<MembershipRoleChanged>(move |delivery| memberships::role_changed(changed.clone(), delivery))
        .on::<MembershipRemoved>(move |delivery| memberships::removed(removed.clone(), delivery))
        .on::<OrganizationDeleted>(move |delivery| memberships::organization_deleted(deleted.clone(), delivery))
        .task()
}

/// Keeps this replica's deny list: what another replica revoked is refused here too.
pub fn revocations(state: &AppState, broker: &Broker) -> Task {
    let loading = state.clone();
    events::revocations_from(broker, Arc::clone(&state.verifier), move || {
        let state = loading.clone();
        async move {
            let allowed = access::allow(<crate::Auth as kit::Service>::NAME)?;
            Ok(list_revocations(&state, allowed).await?.into_iter().map(feed_item).collect())
        }
    })
}

/// A revocation as services load it.
pub fn feed_item(revocation: crate::store::revocations::Revocation) -> Revocation {
    let (kind, id) = match revocation.voids {
        Voids::Session(id) => (RevocationKind::Session, id.uuid()),
        Voids::User(id) => (RevocationKind::User, id.uuid()),
        Voids::ApiKey(id) => (RevocationKind::ApiKey, id.uuid()),
    };
    Revocation { kind, id, at: revocation.revoked_at, until: revocation.until() }
}
