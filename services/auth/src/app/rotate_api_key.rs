//! Somebody replaces an API key by a new one that allows the same.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{ApiKeyId, Origin};
use db::{diesel::PgConnection, idempotency::Request};
use kit::{NewId as _, Principal, auth::ApiKeyText};
use serde_json::json;

use super::{
    api_keys::{By, authority, described, fresh, hold, hold_making, hold_owner, room_for_one, tell, void, within},
    create_api_key::{Issued, Present, once},
};
use crate::{
    domain::{
        access::ChangeKey,
        api_key::{ApiKey, Rotation, Told, check_expiry},
        session::Device,
    },
    error::Error,
    state::AppState,
    store::api_keys,
};

/// How a key is replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotationWish {
    /// How long the key before works on.
    pub grace: TimeDelta,
    /// When the successor ends; `None` for when the key before would have.
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

/// Of any number of rotations at once, one succeeds: the key before has one successor.
pub async fn rotate_api_key(
    state: &AppState,
    who: &Principal,
    id: ApiKeyId,
    wish: RotationWish,
    device: Device,
    request: Option<Request>,
    present: Present,
) -> Result<Issued, Error> {
    let origin = who.origin(&*state.clock);
    let at = origin.at;
    check_expiry(wish.expires_at.flatten(), at)?;
    fresh(who, &origin)?;
    let (inner, caller, by) = (state.clone(), who.clone(), By::new(who, device));
    let rotating = move |conn: &mut PgConnection| {
        once(conn, request, present, |conn| rotate(conn, &inner, &origin, &caller, id, wish, &by))
    };
    let issued = state.db.tenant(who.org).as_user(who.user).tx(rotating).await?;
    if wish.grace <= TimeDelta::zero() && matches!(issued, Issued::New(..)) {
        state.deny_api_keys(&[id], at);
    }
    Ok(issued)
}

fn rotate(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    who: &Principal,
    id: ApiKeyId,
    wish: RotationWish,
    by: &By,
) -> Result<(ApiKey, ApiKeyText), Error> {
    hold_making(conn, who)?;
    hold_owner(conn, who.user)?;
    let held = hold::<ChangeKey>(conn, who, id)?;
    let successor: ApiKeyId = state.ids.new();
    let rotation = held.key.rotate(successor, wish.expires_at, wish.grace, origin.at)?;
    let Rotation { before, told, after, created } = rotation;
    // A person has the key already; a key that rotates another one gets a secret with all that the other may do.
    if who.api_key.is_some() {
        within(&after.grant, &authority(conn, who, origin)?)?;
    }
    api_keys::update(conn, &before)?;
    let replaced = || ("api_key.rotated", json!({"replaced_by": after.id, "works_until": before.grant.expires_at}));
    match told {
        Told::Updated(event) => {
            // Both work for a while, so there is one more.
            room_for_one(conn, who.user, who.org, origin)?;
            tell(conn, state, origin, &before, &event, replaced(), by)?;
        }
        Told::Revoked(event) => {
            void(conn, &before, origin)?;
            tell(conn, state, origin, &before, &event, replaced(), by)?;
        }
    }
    let text = ApiKeyText::generate(after.environment, after.id, &*state.ids);
    api_keys::insert(conn, &after, who.api_key, &state.pepper.hash_api_key(&text))?;
    tell(conn, state, origin, &after, &created, ("api_key.created", described(&after.grant)), by)?;
    Ok((after, text))
}
