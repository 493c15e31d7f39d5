//! Somebody wants to be forgotten.

use contracts::{UserId, users::v1::UserErasureRequested};
use events::{Delivery, Failure};

use crate::{app::erase_user::erase_user, state::AppState};

pub async fn handle(state: AppState, delivery: Delivery<UserErasureRequested>) -> Result<(), Failure> {
    let user: UserId = delivery.event.user_id.parse().map_err(Failure::fail)?;
    Ok(erase_user(&state, &delivery.origin, user).await?)
}
