//! The gateway exchanges an API key that a client has sent for a token of a minute.
//!
//! Reads one row and writes none: when the key was used is noted in memory. Whatever is wrong with a key, the answer is the
//! same. A key that is malformed is found out without a look at the database, which tells nothing that the client could not
//! compute; every other one goes the same way, an unknown one included.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, Role, SessionId};
use kit::{Secret, auth::ApiKeyText};

use super::tokens::{Subject, sign};
use crate::{
    domain::{
        access::{Allowed, ExchangeApiKey},
        api_key::{ApiKey, KEY_TOKEN, KeyHash, Status},
    },
    error::Error,
    metrics,
    state::AppState,
    store::api_keys::{Presented, find_presented},
};

/// What a key was exchanged for.
#[derive(Clone, Debug)]
pub struct ExchangedToken {
    pub key: ApiKeyId,
    pub text: Secret<String>,
    /// Seconds that it lives.
    pub expires_in: i64,
}

/// Why a key is not exchanged; for the metric, not for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Malformed,
    Unknown,
    WrongSecret,
    /// Revoked, expired, or so close to its end that no token fits in.
    Over,
    /// Not from this address.
    Address,
    /// The owner is disabled or has no role in the organization.
    Owner,
}

/// `address` is the client's, as the gateway sees it.
pub async fn exchange_api_key(
    state: &AppState,
    _: Allowed<ExchangeApiKey>,
    presented: &Secret<String>,
    address: Option<IpAddr>,
) -> Result<ExchangedToken, Error> {
    let result = exchange(state, presented, address).await;
    metrics::exchange(result.as_ref().map(|exchanged| exchanged.as_ref().map(|_| ()).map_err(|refusal| *refusal)));
    result?.map_err(|_| Error::InvalidApiKey)
}

async fn exchange(
    state: &AppState,
    presented: &Secret<String>,
    address: Option<IpAddr>,
) -> Result<Result<ExchangedToken, Refusal>, Error> {
    let Ok(text) = ApiKeyText::parse(presented.expose()) else { return Ok(Err(Refusal::Malformed)) };
    let (id, now) = (text.id(), state.clock.now());
    let found = state.db.system("exchange_api_key").tx(move |conn| Ok::<_, Error>(find_presented(conn, id)?)).await?;
    let (key, role, life) = match judge(state, &text, found, address, now) {
        Ok(good) => good,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let subject = Subject {
        user: key.owner,
        org: key.org,
        role,
        // Stable for the life of the key, and of no session: what concerns sessions does not concern it.
        session: SessionId::from_uuid(key.id.uuid()),
        scopes: key.grant.scopes.intersection(role.scopes().iter().collect()),
        // Nobody proved anything now; somebody did when the key was made.
        methods: &[],
        authenticated_at: key.created_at,
        expires_in: life,
        api_key: Some(key.id),
    };
    let token = sign(state, &subject, now)?;
    state.key_uses.note(key.id, now);
    Ok(Ok(ExchangedToken { key: key.id, text: token, expires_in: life }))
}

/// Compares first and decides then, so that the time tells nothing.
fn judge(
    state: &AppState,
    text: &ApiKeyText,
    found: Option<Presented>,
    address: Option<IpAddr>,
    now: DateTime<Utc>,
) -> Result<(ApiKey, Role, i64), Refusal> {
    let stored = found.as_ref().and_then(|found| KeyHash::try_from(found.hash.as_slice()).ok());
    let right = state.pepper.is_hash_of(text, &stored.unwrap_or_default());
    let Some(Presented { key, owner_disabled, role, .. }) = found else { return Err(Refusal::Unknown) };
    // A token does not outlive its key.
    let life = key.grant.expires_at.map_or(KEY_TOKEN, |end| KEY_TOKEN.min(end - now)).num_seconds();
    match role {
        _ if !right => Err(Refusal::WrongSecret),
        _ if key.status(now) != Status::Active || life < 1 => Err(Refusal::Over),
        _ if !key.grant.networks.allow(address) => Err(Refusal::Address),
        Some(role) if !owner_disabled => Ok((key, role, life)),
        _ => Err(Refusal::Owner),
    }
}
