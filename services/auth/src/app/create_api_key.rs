//! Somebody makes an API key.

use contracts::{ApiKeyId, Origin};
use db::{
    diesel::PgConnection,
    idempotency::{self, Answer, Answered, Request},
};
use kit::{NewId as _, Principal, auth::ApiKeyText};

use super::api_keys::{By, authority, described, fresh, hold_making, hold_owner, room_for_one, tell, within};
use crate::{
    domain::{
        api_key::{ApiKey, KeyWish, check_expiry},
        session::Device,
    },
    error::Error,
    state::AppState,
    store::api_keys,
};

/// How the making of a key is answered.
#[derive(Debug)]
pub enum Issued {
    /// The key, and the only sight of its text that there will be.
    New(Box<ApiKey>, ApiKeyText),
    /// The answer to the first request with the same `Idempotency-Key`, which was stored without the text.
    Repeated(Answer),
}

/// How an answer is stored: with everything but the key's text.
pub type Present = fn(&ApiKey) -> Result<Answer, serde_json::Error>;

/// The key acts for the caller in the organization that the caller acts in.
pub async fn create_api_key(
    state: &AppState,
    who: &Principal,
    wish: KeyWish,
    device: Device,
    request: Option<Request>,
    present: Present,
) -> Result<Issued, Error> {
    let origin = who.origin(&*state.clock);
    check_expiry(wish.grant.expires_at, origin.at)?;
    fresh(who, &origin)?;
    let (inner, caller, by) = (state.clone(), who.clone(), By::new(who, device));
    let making = move |conn: &mut PgConnection| {
        once(conn, request, present, |conn| make(conn, &inner, &origin, &caller, wish, &by))
    };
    state.db.tenant(who.org).as_user(who.user).tx(making).await
}

/// Runs `make` unless the request was answered before. The text of the key goes past what is stored.
pub(super) fn once(
    conn: &mut PgConnection,
    request: Option<Request>,
    present: Present,
    make: impl FnOnce(&mut PgConnection) -> Result<(ApiKey, ApiKeyText), Error>,
) -> Result<Issued, Error> {
    let mut new = None;
    let Answered { answer, .. } = idempotency::once(conn, request, |conn| {
        let (key, text) = make(conn)?;
        let answer = present(&key).map_err(db::Error::from)?;
        new = Some((key, text));
        Ok::<_, Error>(answer)
    })?;
    Ok(match new {
        Some((key, text)) => Issued::New(Box::new(key), text),
        None => Issued::Repeated(answer),
    })
}

fn make(
    conn: &mut PgConnection,
    state: &AppState,
    origin: &Origin,
    who: &Principal,
    wish: KeyWish,
    by: &By,
) -> Result<(ApiKey, ApiKeyText), Error> {
    hold_making(conn, who)?;
    hold_owner(conn, who.user)?;
    within(&wish.grant, &authority(conn, who, origin)?)?;
    room_for_one(conn, who.user, who.org, origin)?;
    let id: ApiKeyId = state.ids.new();
    let text = ApiKeyText::generate(wish.environment, id, &*state.ids);
    let (key, event) = ApiKey::create(id, who.org, who.user, wish, origin.at);
    api_keys::insert(conn, &key, who.api_key, &state.pepper.hash_api_key(&text))?;
    tell(conn, state, origin, &key, &event, ("api_key.created", described(&key.grant)), by)?;
    Ok((key, text))
}
