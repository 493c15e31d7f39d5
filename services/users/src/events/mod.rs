//! Which event is handled where.

mod user_registered;

use contracts::auth::v1::UserRegistered;
use events::{Broker, Consumer, ConsumerSpec};

use crate::state::AppState;

/// The queue for what auth publishes.
pub const AUTH_QUEUE: &str = "users.auth";

pub fn auth(state: &AppState, broker: &Broker) -> Consumer {
    let on_registered = state.clone();
    Consumer::new(broker, &state.db, ConsumerSpec::projection(AUTH_QUEUE))
        .on::<UserRegistered>(move |delivery| user_registered::handle(on_registered.clone(), delivery))
}
