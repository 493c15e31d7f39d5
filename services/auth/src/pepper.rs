//! Keyed hashes of what is looked up but must not be readable in the database: refresh tokens, API keys, and the accounts
//! and addresses in attempt counters. Without the pepper, which lives in the environment only, a copy of the database cannot
//! be searched by trying values.

use blake3::Hasher;
use kit::{Secret, auth::ApiKeyText};

use crate::domain::{
    api_key::KeyHash,
    attempts::Bucket,
    refresh_token::{RefreshToken, TokenHash},
};

/// One key a purpose, all derived from `BRAINOPS_TOKEN_PEPPER`.
#[derive(Clone)]
pub struct Pepper {
    refresh_tokens: Secret<[u8; 32]>,
    api_keys: Secret<[u8; 32]>,
    attempts: Secret<[u8; 32]>,
}

impl Pepper {
    pub fn new(pepper: &Secret<String>) -> Self {
        let key = |context| Secret::new(blake3::derive_key(context, pepper.expose().as_bytes()));
        Self {
            refresh_tokens: key("brainops auth 2026-11 refresh token hash"),
            api_keys: key("brainops auth 2026-11 api key hash"),
            attempts: key("brainops auth 2026-11 attempt bucket"),
        }
    }

    pub fn hash_token(&self, token: &RefreshToken) -> TokenHash {
        *blake3::keyed_hash(self.refresh_tokens.expose(), token.expose().as_bytes()).as_bytes()
    }

    pub fn hash_api_key(&self, key: &ApiKeyText) -> KeyHash {
        *blake3::keyed_hash(self.api_keys.expose(), key.expose().as_bytes()).as_bytes()
    }

    /// Whether a stored hash is of this key. Takes the same time wherever the two differ.
    pub fn is_hash_of(&self, key: &ApiKeyText, stored: &KeyHash) -> bool {
        // blake3 compares its hashes in constant time.
        blake3::Hash::from_bytes(self.hash_api_key(key)) == blake3::Hash::from_bytes(*stored)
    }

    /// The key of an attempt counter. Every part is preceded by its length, so that no two lists of parts are one text.
    pub fn bucket(&self, bucket: Bucket, parts: &[&str]) -> [u8; 32] {
        let name: &[u8] = match bucket {
            Bucket::AccountFromSource => b"account from source",
            Bucket::Account => b"account",
            Bucket::Source => b"source",
            Bucket::Registration => b"registration",
        };
        let mut hasher = Hasher::new_keyed(self.attempts.expose());
        for part in std::iter::once(name).chain(parts.iter().map(|part| part.as_bytes())) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_depend_on_the_pepper_the_purpose_and_every_part() {
        let pepper = |text: &str| Pepper::new(&Secret::new(text.to_owned()));
        let a = pepper("a");
        let hash = |parts: &[&str]| a.bucket(Bucket::Account, parts);
        assert_eq!(hash(&["x", "y"]), hash(&["x", "y"]));
        assert_ne!(hash(&["x", "y"]), hash(&["xy", ""]));
        assert_ne!(hash(&["x"]), a.bucket(Bucket::Source, &["x"]));
        assert_ne!(hash(&["x"]), pepper("b").bucket(Bucket::Account, &["x"]));
    }
}
