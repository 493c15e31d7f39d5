//! API keys: a client sends one, services get a token of a minute instead and never see the key.
//!
//! What auth answers is kept for 30 s at most, by a keyed hash of the key and the client's address (a key may
//! be good from some addresses only). Revocations and changes arrive as events and end what is kept at once. However many
//! requests wait for one key, auth is asked once; it is asked again while the last answer is still good, so that nobody
//! has to wait. While auth is away, the last token of a key works until it expires.

mod changed;
mod credential;
mod metrics;
mod slot;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use chrono::{DateTime, Utc};
use contracts::ApiKeyId;
use kit::auth::{ApiKeyText, Claims, TokenError};
use kit::http::codes;
use kit::{Coded, Core, ErrorCode, Secret, Verifier};
use moka::sync::Cache;
use tokio::sync::{OwnedMutexGuard, Semaphore};

pub use changed::Changed;
pub use credential::{Credential, holds_key};
pub use slot::Exchanged;

use self::metrics::{EXCHANGES, LOOKUPS};
use self::slot::{Answer, Asked, Slot, Verdict};
use crate::clients::auth::{AuthClient, ExchangeError};

/// How many pairs of key and address are remembered, refused ones included; some 2 KiB each.
const REMEMBERED: u64 = 20_000;
/// What nobody asked for in this time is forgotten. Longer than any answer is good for.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(2);
/// Exchanges at a time. One takes auth a few milliseconds.
const AT_A_TIME: usize = 32;
/// Waiting for one's turn and for the answer.
const WITHIN: Duration = Duration::from_secs(5);

/// Why a key opened nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Malformed, unknown, revoked, expired, or not from this address; auth does not say which, and neither do we.
    #[error("the API key is not valid")]
    Invalid,
    /// auth cannot be asked, and nothing that it said before is still good.
    #[error("API keys cannot be checked at this moment")]
    Unavailable,
}

impl Coded for KeyError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Invalid => &codes::INVALID_API_KEY,
            Self::Unavailable => &codes::UNAVAILABLE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Invalid => "The API key is malformed, unknown or no longer good".into(),
            Self::Unavailable => "API keys cannot be checked at this moment; try again".into(),
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        (*self == Self::Unavailable).then_some(Duration::from_secs(1))
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let challenge = HeaderValue::from_static("Bearer realm=\"brainops\", error=\"invalid_token\"");
        if *self == Self::Invalid { vec![(WWW_AUTHENTICATE, challenge)] } else { Vec::new() }
    }
}

/// The exchange of keys for tokens, shared by all workers.
pub struct ApiKeys {
    slots: Cache<SlotName, Arc<Slot>>,
    /// Random, of this process alone: whoever reads its memory's caches learns nothing that could be looked up elsewhere.
    hash_key: [u8; 32],
    auth: AuthClient,
    verifier: Arc<Verifier>,
    changed: Arc<Changed>,
    turns: Semaphore,
}

type SlotName = [u8; 32];

impl ApiKeys {
    /// Remembers nothing yet.
    pub fn new(auth: AuthClient, verifier: Arc<Verifier>, core: &Core) -> Arc<Self> {
        let mut hash_key = [0; 32];
        core.ids.random(&mut hash_key);
        Arc::new(Self {
            slots: Cache::builder().max_capacity(REMEMBERED).time_to_idle(FORGOTTEN_AFTER).build(),
            hash_key,
            auth,
            changed: Arc::new(Changed::new(Arc::clone(verifier.clock()))),
            verifier,
            turns: Semaphore::new(AT_A_TIME),
        })
    }

    /// Which keys were changed since they were exchanged; to be fed by events.
    pub fn changed(&self) -> &Arc<Changed> {
        &self.changed
    }

    /// The token for a key when it is known without asking anybody; `None` means that [`ask`](Self::ask) has to.
    pub fn known(self: &Arc<Self>, key: &str, address: Option<IpAddr>) -> Option<Result<Arc<Exchanged>, KeyError>> {
        let slot = self.slots.get(&self.slot_name(key, address))?;
        let known = match self.judge(&slot) {
            Verdict::Use(token) => Ok(token),
            Verdict::UseAndRenew(token) => {
                // Whoever comes first asks; nobody waits for it.
                if let Ok(turn) = Arc::clone(&slot.asking).try_lock_owned() {
                    self.start_asking(&slot, turn, key, address);
                }
                Ok(token)
            }
            Verdict::Refuse => Err(KeyError::Invalid),
            Verdict::Unavailable => Err(KeyError::Unavailable),
            Verdict::Ask => return None,
        };
        metrics::count(&LOOKUPS, if known.is_ok() { metrics::HIT } else { metrics::REFUSED });
        Some(known)
    }

    /// The token for a key, from auth.
    pub async fn ask(self: &Arc<Self>, key: &str, address: Option<IpAddr>) -> Result<Arc<Exchanged>, KeyError> {
        if ApiKeyText::parse(key).is_err() {
            metrics::count(&LOOKUPS, metrics::MALFORMED);
            return Err(KeyError::Invalid);
        }
        metrics::count(&LOOKUPS, metrics::MISS);
        let slot = self.slots.get_with(self.slot_name(key, address), Arc::default);
        // Twice, because a change of the key may have overtaken the first answer.
        for _ in 0..2 {
            let turn = Arc::clone(&slot.asking).lock_owned().await;
            // Whoever waited for somebody else's exchange finds its outcome.
            if let Verdict::Ask = self.judge(&slot) {
                // A task: it goes on when this client leaves, and those who wait for the same key find its answer. That
                // it panicked was logged where it happened.
                let _ = self.start_asking(&slot, turn, key, address).await;
            }
            match self.judge(&slot) {
                Verdict::Use(token) | Verdict::UseAndRenew(token) => return Ok(token),
                Verdict::Refuse => return Err(KeyError::Invalid),
                Verdict::Unavailable => return Err(KeyError::Unavailable),
                Verdict::Ask => {}
            }
        }
        Err(KeyError::Unavailable)
    }

    fn slot_name(&self, key: &str, address: Option<IpAddr>) -> SlotName {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash_key);
        match address {
            Some(IpAddr::V4(address)) => hasher.update(&address.octets()),
            Some(IpAddr::V6(address)) => hasher.update(&address.octets()),
            None => &mut hasher,
        };
        // Its length tells an address from the beginning of a key, which has no byte 0.
        hasher.update(&[0]).update(key.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn judge(&self, slot: &Slot) -> Verdict {
        let known = slot.known.load();
        let now = self.now();
        known
            .as_ref()
            .map_or(Verdict::Ask, |known| known.judge(now, |token| self.is_good(token, known.asked.heard, now)))
    }

    fn is_good(&self, token: &Exchanged, heard: u64, now: DateTime<Utc>) -> bool {
        let claims = &token.claims;
        self.verifier.verify_again(claims).is_ok()
            // Without the leeway of the verifier: the service that gets it looks a moment later.
            && claims.exp > now.timestamp()
            && !claims.api_key.is_some_and(|key| self.changed.since(key, heard))
    }

    fn start_asking(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        turn: OwnedMutexGuard<()>,
        key: &str,
        address: Option<IpAddr>,
    ) -> tokio::task::JoinHandle<()> {
        let (keys, slot, key) = (Arc::clone(self), Arc::clone(slot), Secret::new(key.to_owned()));
        kit::tasks::spawn("gateway.key_exchange", async move {
            let asked = Asked { at: keys.now(), heard: keys.changed.heard() };
            let outcome = tokio::time::timeout(WITHIN, keys.exchange(&key, address)).await;
            match outcome
                .unwrap_or_else(|_| Err(ExchangeError::Unavailable(anyhow::anyhow!("no answer within {WITHIN:?}"))))
            {
                Ok(token) => {
                    metrics::count(&EXCHANGES, metrics::OK);
                    slot.learn(asked, Answer::Token(Arc::new(token)));
                }
                Err(ExchangeError::Refused) => {
                    metrics::count(&EXCHANGES, metrics::REFUSED);
                    slot.learn(asked, Answer::Refused);
                }
                Err(ExchangeError::Unavailable(error)) => {
                    metrics::count(&EXCHANGES, metrics::UNAVAILABLE);
                    tracing::warn!(error = format!("{error:#}"), "An API key could not be exchanged");
                    slot.failed(asked, keys.now());
                }
            }
            drop(turn);
        })
    }

    async fn exchange(&self, key: &Secret<String>, address: Option<IpAddr>) -> Result<Exchanged, ExchangeError> {
        let unavailable = |error: anyhow::Error| ExchangeError::Unavailable(error);
        let _turn = self.turns.acquire().await.map_err(|closed| unavailable(closed.into()))?;
        let answer = self.auth.exchange(key, address).await?;
        // Our own check: what auth says is believed for what its signature covers, not for coming from its address.
        let claims = match self.verifier.verify(answer.access_token.expose()).await {
            Ok(claims) => claims,
            Err(TokenError::Revoked) => return Err(ExchangeError::Refused),
            Err(error) => return Err(unavailable(error.into())),
        };
        checked(claims, answer.api_key_id, answer.access_token.expose()).map_err(unavailable)
    }

    fn now(&self) -> DateTime<Utc> {
        self.verifier.clock().now()
    }
}

/// A token that auth gave for the key `asked`, as services get it.
fn checked(claims: Arc<Claims>, asked: ApiKeyId, token: &str) -> anyhow::Result<Exchanged> {
    anyhow::ensure!(claims.api_key == Some(asked), "the token is not of the key that was exchanged");
    let mut authorization = hyper::header::HeaderValue::from_str(&format!("Bearer {token}"))?;
    authorization.set_sensitive(true);
    Ok(Exchanged { authorization, claims })
}
