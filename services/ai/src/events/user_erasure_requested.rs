//! Somebody wants to be forgotten. Memory forgets what it has; this is what it does not have yet.

use contracts::{UserId, users::v1::UserErasureRequested};
use events::{Delivery, Failure};

use crate::{app::turns::erase_turns, state::AppState};

pub async fn handle(state: AppState, delivery: Delivery<UserErasureRequested>) -> Result<(), Failure> {
    let user: UserId = delivery.event.user_id.parse().map_err(Failure::fail)?;
    Ok(erase_turns(&state, user).await?)
}
