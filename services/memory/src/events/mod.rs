//! Which event is handled where.

mod turn_finished;
mod user_erasure_requested;

use contracts::{
    ai::v1::{CompletionFinished, TurnFinished},
    users::v1::UserErasureRequested,
};
use events::{Broker, Consumer, ConsumerSpec};
use kit::Task;

use crate::{clients::ai::AiClient, state::AppState};

/// The queue for what ai publishes.
pub const AI_QUEUE: &str = "memory.ai";
/// The queue for what users publishes.
pub const USERS_QUEUE: &str = "memory.users";

/// Keeps the turns of chats.
pub fn ai(state: &AppState, broker: &Broker, ai: AiClient) -> Task {
    let state_of = state.clone();
    Consumer::new(broker, &state.db, ConsumerSpec::projection(AI_QUEUE))
        .on::<TurnFinished>(move |delivery| turn_finished::handle(state_of.clone(), ai.clone(), delivery))
        .no_longer::<CompletionFinished>()
        .task()
}

/// Forgets people who ask for it.
pub fn users(state: &AppState, broker: &Broker) -> Task {
    let state_of = state.clone();
    Consumer::new(broker, &state.db, ConsumerSpec::slow(USERS_QUEUE))
        .on::<UserErasureRequested>(move |delivery| user_erasure_requested::handle(state_of.clone(), delivery))
        .task()
}
