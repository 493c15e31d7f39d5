//! The public keys that tokens are checked with: kept, refreshed, and never lost because auth is away.
use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use jsonwebtoken::DecodingKey;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};

use super::{Jwk, JwkSet, TokenError};
use crate::{outbound::plain_client, tasks};

/// Where public keys come from.
#[derive(Clone)]
pub enum JwksSource {
    /// URL of a JWK set: `{auth}/.well-known/jwks.json`.
    Url(String),
    /// The auth service's own keys.
    Local(Arc<dyn KeySet>),
}

/// A source of keys in the same process.
pub trait KeySet: Send + Sync + 'static {
    /// The set as it is at this moment; cheap.
    fn keys(&self) -> JwkSet;
}

/// The longest `kid` that is looked up.
const MAX_KID: usize = 64;
/// The largest key set that is read, in bytes, and the most keys that are kept.
const MAX_SET_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 64;
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// When keys are asked for again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// At most one fetch in this time, whatever tokens come in.
    pub window: Duration,
    /// A set older than this is refreshed, so that withdrawn keys go.
    pub max_age: Duration,
}

type Keys = HashMap<String, DecodingKey>;

struct Loaded {
    keys: Keys,
    at: Instant,
}

type LastTry = Option<Instant>;

/// Keys by `kid`.
pub(super) struct KeyStore {
    source: Source,
    timing: Timing,
    current: ArcSwapOption<Loaded>,
    /// Time of the last try. Held while fetching: whoever waits for it finds the answer of the one before.
    last_try: Arc<Mutex<LastTry>>,
}

enum Source {
    Url(String, reqwest::Client),
    Local(Arc<dyn KeySet>),
}

impl KeyStore {
    pub(super) fn new(source: JwksSource, timing: Timing) -> Self {
        let source = match source {
            JwksSource::Local(keys) => Source::Local(keys),
            JwksSource::Url(url) => Source::Url(url, plain_client()),
        };
        Self { source, timing, current: ArcSwapOption::empty(), last_try: Arc::default() }
    }

    /// The key of a token, fetched when it is not there.
    pub(super) async fn find(self: &Arc<Self>, kid: &str) -> Result<DecodingKey, TokenError> {
        if kid.is_empty() || kid.len() > MAX_KID {
            return Err(TokenError::UnknownKey);
        }
        let seen = self.current.load_full();
        let known = seen.as_ref().and_then(|loaded| loaded.keys.get(kid));
        let fresh = seen.as_ref().is_some_and(|loaded| loaded.at.elapsed() < self.timing.max_age);
        match (known, fresh) {
            (Some(key), true) => return Ok(key.clone()),
            // Old but known: whoever comes first asks again, nobody else waits for that.
            (Some(_), false) => {
                if let Ok(last_try) = Arc::clone(&self.last_try).try_lock_owned() {
                    self.refresh(last_try).await;
                }
            }
            // Unknown: all who wait share one fetch.
            (None, _) => {
                let last_try = Arc::clone(&self.last_try).lock_owned().await;
                let unchanged =
                    self.current.load().as_ref().map(|loaded| loaded.at) == seen.as_ref().map(|loaded| loaded.at);
                if unchanged {
                    self.refresh(last_try).await;
                }
            }
        }
        match &*self.current.load() {
            Some(loaded) => loaded.keys.get(kid).cloned().ok_or(TokenError::UnknownKey),
            None => Err(TokenError::KeysUnavailable),
        }
    }

    /// Makes sure that there are keys at all.
    pub(super) async fn load(self: &Arc<Self>) -> Result<(), TokenError> {
        if self.current.load().is_none() {
            let last_try = Arc::clone(&self.last_try).lock_owned().await;
            if self.current.load().is_none() {
                self.refresh(last_try).await;
            }
        }
        if self.current.load().is_some() { Ok(()) } else { Err(TokenError::KeysUnavailable) }
    }

    /// Asks the source, but not more often than once a window. A failure leaves what is there.
    ///
    /// The fetch goes on when whoever asked for it leaves: cut off, it would use up the window and give nothing.
    async fn refresh(self: &Arc<Self>, mut last_try: OwnedMutexGuard<LastTry>) {
        let limited = matches!(self.source, Source::Url(..));
        if limited && last_try.is_some_and(|at| at.elapsed() < self.timing.window) {
            return;
        }
        *last_try = Some(Instant::now());
        let store = Arc::clone(self);
        let fetched = tasks::spawn("kit.token_keys", async move {
            store.fetch_and_keep().await;
            drop(last_try);
        });
        // A panic was logged where it happened.
        let _ = fetched.await;
    }

    async fn fetch_and_keep(&self) {
        match self.fetch().await {
            Ok(set) => {
                let keys = decoding_keys(set);
                self.current.store(Some(Arc::new(Loaded { keys, at: Instant::now() })));
            }
            Err(error) => {
                tracing::warn!(
                    error = %format_args!("{error:#}"),
                    "The token keys could not be refreshed; the last good set stays"
                );
            }
        }
    }

    async fn fetch(&self) -> anyhow::Result<JwkSet> {
        let (url, client) = match &self.source {
            Source::Local(keys) => return Ok(keys.keys()),
            Source::Url(url, client) => (url, client),
        };
        let mut response = client.get(url).timeout(FETCH_TIMEOUT).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            anyhow::ensure!(
                body.len() + chunk.len() <= MAX_SET_BYTES,
                "the key set is larger than {MAX_SET_BYTES} bytes"
            );
            body.extend_from_slice(&chunk);
        }
        let set = JwkSet::read(&body).ok_or_else(|| anyhow::anyhow!("the answer is not a JWK set"))?;
        // An empty set would lock everybody out; auth always has a key.
        anyhow::ensure!(!set.keys.is_empty(), "the key set has no usable key");
        Ok(set)
    }
}

fn decoding_keys(set: JwkSet) -> Keys {
    set.keys
        .into_iter()
        .filter(|jwk| jwk.is_es256_signing_key() && jwk.kid.len() <= MAX_KID)
        .take(MAX_KEYS)
        .filter_map(|Jwk { kid, x, y, .. }| Some((kid, DecodingKey::from_ec_components(&x, &y).ok()?)))
        .collect()
}
