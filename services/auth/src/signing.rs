//! The signing keys in memory: opened once, shared by all requests, replaced as a whole when the database has others.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use contracts::KeyId;
use futures_util::{FutureExt, future::BoxFuture};
use kit::{
    Clock, HealthCheck, Ids, NewId,
    auth::{JwkSet, KeySet, SigningError, SigningKey, sign},
    seal::Keyring,
};
use serde::Serialize;

use crate::{
    domain::signing_key::{self, KeyTimes},
    error::Error,
    store::signing_keys::StoredKey,
};

struct Loaded {
    times: KeyTimes,
    key: SigningKey,
}

/// Signs with the key whose time it is, and publishes all.
pub struct Signing {
    clock: Arc<dyn Clock>,
    keyring: Keyring,
    loaded: RwLock<Arc<Vec<Loaded>>>,
}

impl Signing {
    /// Without keys: nothing can be signed before [`load`](Self::load).
    pub fn new(clock: Arc<dyn Clock>, keyring: Keyring) -> Self {
        Self { clock, keyring, loaded: RwLock::default() }
    }

    /// A new key, sealed for its row. It signs once it is stored and loaded.
    pub fn generate(&self, ids: &dyn Ids, signs_from: DateTime<Utc>) -> Result<StoredKey, Error> {
        let id: KeyId = ids.new();
        let pem = SigningKey::generate(id.to_string(), ids)?.to_pem()?;
        let sealed = self.keyring.seal(&place(id), pem.expose().as_bytes())?;
        Ok(StoredKey { times: KeyTimes { id, signs_from, announced: false }, sealed })
    }

    /// The same key sealed with the master key of today; `None` when it is already.
    pub fn reseal(&self, key: &StoredKey) -> Result<Option<String>, Error> {
        if !self.keyring.is_outdated(&key.sealed) {
            return Ok(None);
        }
        let pem = self.keyring.open(&place(key.times.id), &key.sealed)?;
        Ok(Some(self.keyring.seal(&place(key.times.id), &pem)?))
    }

    /// Replaces the keys by those that are stored.
    pub fn load(&self, stored: &[StoredKey]) -> Result<(), Error> {
        let known = self.current();
        let loaded = stored
            .iter()
            .map(|row| {
                let same = known.iter().find(|loaded| loaded.times.id == row.times.id);
                let key = same.map_or_else(|| self.open(row), |loaded| Ok(loaded.key.clone()))?;
                Ok(Loaded { times: row.times.clone(), key })
            })
            .collect::<Result<_, Error>>()?;
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(())
    }

    fn open(&self, row: &StoredKey) -> Result<SigningKey, Error> {
        let pem = self.keyring.open(&place(row.times.id), &row.sealed)?;
        let pem = std::str::from_utf8(&pem).map_err(|_| SigningError::Key)?;
        Ok(SigningKey::from_pem(row.times.id.to_string(), pem)?)
    }

    /// An access token of these claims, signed by the key of this moment.
    pub fn sign<C: Serialize>(&self, claims: &C) -> Result<String, Error> {
        let loaded = self.current();
        let times: Vec<KeyTimes> = loaded.iter().map(|key| key.times.clone()).collect();
        let signer = signing_key::signer(&times, self.clock.now()).ok_or(Error::NoSigningKey)?;
        let key = loaded.iter().find(|key| key.times.id == signer.id).ok_or(Error::NoSigningKey)?;
        Ok(sign(claims, &key.key)?)
    }

    fn current(&self) -> Arc<Vec<Loaded>> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a sealed key is bound to.
fn place(id: KeyId) -> String {
    format!("signing_keys/{id}")
}

impl KeySet for Signing {
    fn keys(&self) -> JwkSet {
        JwkSet { keys: self.current().iter().map(|loaded| loaded.key.jwk()).collect() }
    }
}

impl HealthCheck for Signing {
    fn name(&self) -> &'static str {
        "signing keys"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let any = !self.current().is_empty();
        async move { if any { Ok(()) } else { Err("no signing key is loaded yet".to_owned()) } }.boxed()
    }
}
