//! Secrets at rest: AES-256-GCM under a master key that can rotate.
//!
//! A sealed value is a text, `v1.<key id>.<base64url of nonce, ciphertext and tag>`. It is bound to its place by
//! associated data: a value moved to another row does not open. New values are sealed with the first key of the ring,
//! every key of the ring opens; so a rotation puts a new key first, re-seals, and then drops the old one.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::Rng;
use zeroize::{Zeroize, Zeroizing};

use crate::config::Value;

const VERSION: &str = "v1";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The master keys, the sealing one first. Reads from the environment as `id:base64,id2:base64`.
#[derive(Clone)]
pub struct Keyring(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    cipher: Aes256Gcm,
}

/// Why a sealed value does not open, or a value could not be sealed. Says nothing about the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not what [`Keyring::seal`] writes.
    #[error("the text is not a sealed value")]
    Malformed,
    /// The key it was sealed with is not in the ring.
    #[error("it was sealed with key {0:?}, which is not configured")]
    UnknownKey(String),
    /// It was changed, or belongs to another place, or the key of this id is another one now.
    #[error("the sealed value does not belong here or was changed")]
    NotAuthentic,
    /// The value is too large for the cipher (64 GiB).
    #[error("the value is too large to seal")]
    TooLarge,
}

impl Keyring {
    /// Reads `id:base64,id2:base64`: each key 32 random bytes, each id 1 to 32 letters, digits, `-` or `_`.
    /// The error says what is wrong without showing a key.
    pub fn from_config(text: &str) -> Result<Self, String> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, entry) in text.split(',').map(str::trim).enumerate() {
            let n = at + 1;
            let (id, key) = entry.split_once(':').ok_or_else(|| format!("id:base64, which entry {n} is not"))?;
            if !(1..=32).contains(&id.len())
                || !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            {
                return Err(format!("an id of 1 to 32 letters, digits, - or _ in entry {n}"));
            }
            if keys.iter().any(|known| known.id == id) {
                return Err(format!("each id once; {id:?} is there twice"));
            }
            let mut bytes = STANDARD.decode(key).map_err(|_| format!("a base64 key in entry {n} ({id:?})"))?;
            let weak = bytes.iter().all(|byte| Some(byte) == bytes.first());
            let cipher = Aes256Gcm::new_from_slice(&bytes);
            bytes.zeroize();
            match cipher {
                Ok(cipher) if !weak => keys.push(Key { id: id.to_owned(), cipher }),
                _ => {
                    return Err(format!(
                        "{KEY_BYTES} random bytes as base64 in entry {n} ({id:?}); try: openssl rand -base64 32"
                    ));
                }
            }
        }
        Ok(Self(keys))
    }

    /// The id of the key that seals now.
    pub fn current(&self) -> &str {
        self.0.first().map_or("", |key| key.id.as_str())
    }

    /// Whether `sealed` should be sealed anew: it opens, but with a key that is on its way out.
    pub fn is_outdated(&self, sealed: &str) -> bool {
        split(sealed).is_ok_and(|(id, _)| id != self.current())
    }

    /// Seals `value` for the place that `aad` names, such as `signing_keys/<id>`.
    pub fn seal(&self, aad: &str, value: &[u8]) -> Result<String, SealError> {
        let key = self.0.first().ok_or_else(|| SealError::UnknownKey(String::new()))?;
        // Random nonces are safe up to 2^32 values a key (NIST SP 800-38D, 8.3).
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let aad = bound(&key.id, aad);
        let body = key
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: value, aad: &aad })
            .map_err(|_| SealError::TooLarge)?;
        let bytes = [nonce.as_slice(), &body].concat();
        Ok(format!("{VERSION}.{}.{}", key.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens what was sealed for `aad`. The result is overwritten when it is dropped.
    pub fn open(&self, aad: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, body) = split(sealed)?;
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(|| SealError::UnknownKey(id.to_owned()))?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| SealError::Malformed)?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Malformed)?;
        let aad = bound(id, aad);
        key.cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| SealError::NotAuthentic)
    }
}

/// The key's id is authenticated as well, so that a value cannot be passed off as another key's.
fn bound(id: &str, aad: &str) -> Vec<u8> {
    format!("{VERSION}.{id}.{aad}").into_bytes()
}

fn split(sealed: &str) -> Result<(&str, &str), SealError> {
    let rest = sealed.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.')).ok_or(SealError::Malformed)?;
    rest.split_once('.').ok_or(SealError::Malformed)
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Value for Keyring {
    const EXPECTED: &'static str = "keys as id:base64,id2:base64, each 32 random bytes; the first one seals";

    fn parse(raw: &str) -> Result<Self, String> {
        Self::from_config(raw)
    }

    fn placeholder() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> String {
        STANDARD.encode((0..32).map(|n| n ^ seed).collect::<Vec<u8>>())
    }

    fn ring(ids: &[(&str, u8)]) -> Keyring {
        let text: Vec<_> = ids.iter().map(|(id, seed)| format!("{id}:{}", key(*seed))).collect();
        Keyring::from_config(&text.join(",")).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let ring = ring(&[("a", 1)]);
        let sealed = ring.seal("row/1", b"private key").unwrap();
        assert!(sealed.starts_with("v1.a."));
        assert_eq!(ring.open("row/1", &sealed).unwrap().as_slice(), b"private key");
        assert_eq!(ring.open("row/2", &sealed), Err(SealError::NotAuthentic));
        assert_ne!(sealed, ring.seal("row/1", b"private key").unwrap(), "a nonce is used once");
    }

    #[test]
    fn keys_rotate() {
        let old = ring(&[("a", 1)]);
        let both = ring(&[("b", 2), ("a", 1)]);
        let new = ring(&[("b", 2)]);
        let sealed = old.seal("x", b"s").unwrap();
        assert_eq!(both.open("x", &sealed).unwrap().as_slice(), b"s");
        assert!(both.is_outdated(&sealed));
        assert_eq!(new.open("x", &sealed), Err(SealError::UnknownKey("a".into())));

        let again = both.seal("x", b"s").unwrap();
        assert!(!both.is_outdated(&again));
        assert_eq!(new.open("x", &again).unwrap().as_slice(), b"s");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let ring = ring(&[("a", 1), ("b", 1)]);
        let sealed = ring.seal("x", b"secret").unwrap();
        let body = sealed.strip_prefix("v1.a.").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = format!("v1.a.{}", URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(ring.open("x", &changed), Err(SealError::NotAuthentic), "byte {at}");
        }
        assert_eq!(ring.open("x", &format!("v1.b.{body}")), Err(SealError::NotAuthentic), "same key, other id");
        for malformed in ["", "v1", "v1.a", "v2.a.AAAA", "v1.a.*", "v1.a.AAAA"] {
            assert_eq!(ring.open("x", malformed), Err(SealError::Malformed), "{malformed:?}");
        }
    }

    #[test]
    fn weak_or_malformed_rings_are_refused_without_showing_keys() {
        let zeros = STANDARD.encode([0; 32]);
        let short = STANDARD.encode([7; 16]);
        let good = key(3);
        for bad in [
            "",
            "a",
            &format!("a:{zeros}"),
            &format!("a:{short}"),
            "a:***",
            &format!("a:{good},a:{good}"),
            &format!("ü:{good}"),
        ] {
            let message = Keyring::from_config(bad).unwrap_err();
            assert!(!message.contains(&good) && !message.contains(&zeros), "{message}");
        }
        assert_eq!(format!("{:?}", ring(&[("a", 1), ("b", 2)])), r#"["a", "b"]"#);
    }
}
