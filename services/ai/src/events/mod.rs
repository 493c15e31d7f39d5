//! Which event is handled where.

use std::future::ready;

mod model_changed;
mod team_members;
mod user_erasure_requested;

use contracts::{
    ai::v1::ModelChanged,
    users::v1::{TeamDeleted, TeamMemberAdded, TeamMemberRemoved, UserErasureRequested},
};
use events::{Broker, Consumer, ConsumerSpec, broadcast};
use kit::Task;

use crate::{catalog::Catalog, state::AppState};

/// The queue for what the users service publishes.
pub const USERS_QUEUE: &str = "ai.users";

/// Keeps the projection of teams, and forgets people who ask for it.
pub fn users(state: &AppState, broker: &Broker) -> Task {
    let (added, removed, deleted, erased) = (state.clone(), state.clone(), state.clone(), state.clone());
    Consumer::new(broker, &state.db, ConsumerSpec::projection(USERS_QUEUE))
        .on::<TeamMemberAdded>(move |delivery| team_members::added(added.clone(), delivery))
        .on::<TeamMemberRemoved>(move |delivery| team_members::removed(removed.clone(), delivery))
        .on::<TeamDeleted>(move |delivery| team_members::team_deleted(deleted.clone(), delivery))
        .on::<UserErasureRequested>(move |delivery| user_erasure_requested::handle(erased.clone(), delivery))
        .task()
}

/// Every replica hears of changed models. What happened while it did not listen is not told again, so that everything it
/// holds may be old by then.
pub fn models(catalog: &Catalog, broker: &Broker) -> Task {
    let (changed, attached) = (catalog.clone(), catalog.clone());
    broadcast(broker, "ai.models")
        .on::<ModelChanged>(move |delivery| ready(model_changed::handle(&changed, delivery)))
        .on_attached(move || {
            attached.all_changed();
            ready(())
        })
        .task()
}
