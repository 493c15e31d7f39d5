//! auth registered somebody: give them a profile and their personal organization.

use contracts::auth::v1::UserRegistered;
use db::inbox;
use events::{Delivery, Failure};

use crate::{
    app::welcome_user::{Registration, welcome_user},
    error::Error,
    state::AppState,
};

pub async fn handle(state: AppState, delivery: Delivery<UserRegistered>) -> Result<(), Failure> {
    let event = &delivery.event;
    let registration = Registration {
        user: event.user_id.parse().map_err(Failure::fail)?,
        personal_org: event.organization_id.parse().map_err(Failure::fail)?,
        email: event.email.clone(),
        display_name: event.display_name.clone(),
    };
    let (id, origin) = (delivery.id, delivery.origin);
    let ids = state.ids.clone();
    state
        .db
        .tenant(registration.personal_org)
        .as_user(registration.user)
        .tx(move |conn| {
            inbox::once(conn, super::AUTH_QUEUE, id, |conn| welcome_user(conn, &*ids, &origin, registration))
        })
        .await
        .map_err(Error::into)
        .map(|_| ())
}
