//! What an API key looks like: `bo_<live|test>_<id>_<secret><checksum>`, always 80 characters.
//!
//! * `id`: the key's UUID as 22 base-62 digits. Public: it names the key in logs, lists and events.
//! * `secret`: 43 base-62 digits chosen at random, a little more than 256 bits.
//! * `checksum`: CRC-32 (IEEE 802.3) of all that stands before it as 6 base-62 digits. It proves nothing; it lets a
//!   gateway refuse a typing error, and a secret scanner tell a key from something like it, without asking anybody.
//!
//! The digits are `0-9A-Za-z`, so that a double click selects the whole key and no URL or shell needs to quote it.
//! Whether a key is good only the auth service knows, which stores a keyed hash of the whole text.

use contracts::ApiKeyId;
use uuid::Uuid;

use crate::{Ids, Secret};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Of every credential of the platform that is not a JWT.
const PREFIX: &str = "bo_";
/// Refresh tokens, which are no keys.
const REFRESH_TOKEN_PREFIX: &str = "bo_rt_";

/// `bo_live_` and `bo_test_`.
const MARK_LENGTH: usize = 8;
const ID_LENGTH: usize = 22;
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const CHECKED_LENGTH: usize = MARK_LENGTH + ID_LENGTH + 1 + SECRET_LENGTH;
const LENGTH: usize = CHECKED_LENGTH + CHECKSUM_LENGTH;

/// What a key is for. The platform treats both alike; people and secret scanners do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiKeyEnvironment {
    /// In production.
    Live,
    /// In development and tests.
    Test,
}

impl ApiKeyEnvironment {
    /// The name in keys, in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// Reads [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

/// A text is no API key of this platform, or not as it was given out. Does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key is malformed: a character is wrong or missing")]
pub struct MalformedApiKey;

/// A whole API key in the clear, well-formed. Never prints.
#[derive(Clone, Debug)]
pub struct ApiKeyText {
    text: Secret<String>,
    id: ApiKeyId,
    environment: ApiKeyEnvironment,
}

impl ApiKeyText {
    /// Whether a credential means to be an API key, well-formed or not. A JWT never does: it begins with `ey`.
    pub fn looks_like_key(credential: &str) -> bool {
        credential.starts_with(PREFIX) && !credential.starts_with(REFRESH_TOKEN_PREFIX)
    }

    /// Reads a key and checks its form and checksum; says nothing on whether the key is good.
    ///
    /// # Errors
    /// [`MalformedApiKey`] for everything that [`generate`](Self::generate) cannot have made.
    pub fn parse(text: &str) -> Result<Self, MalformedApiKey> {
        // In bytes: an index into text could fall into the middle of a character.
        let bytes: &[u8; LENGTH] = text.as_bytes().try_into().map_err(|_| MalformedApiKey)?;
        let (checked, checksum) = bytes.split_at(CHECKED_LENGTH);
        let (head, secret) = checked.split_at(CHECKED_LENGTH - SECRET_LENGTH);
        let (mark, id) = head.split_at(MARK_LENGTH);
        let environment = match mark {
            b"bo_live_" => ApiKeyEnvironment::Live,
            b"bo_test_" => ApiKeyEnvironment::Test,
            _ => return Err(MalformedApiKey),
        };
        let id = id.strip_suffix(b"_").and_then(number).ok_or(MalformedApiKey)?;
        let sum = number(checksum).ok_or(MalformedApiKey)?;
        if !secret.iter().all(u8::is_ascii_alphanumeric) || sum != u128::from(crc32(checked)) {
            return Err(MalformedApiKey);
        }
        let id = ApiKeyId::from_uuid(Uuid::from_u128(id));
        Ok(Self { text: Secret::new(text.to_owned()), id, environment })
    }

    /// A new key with a random secret. For the auth service, and for stand-ins of it in tests.
    pub fn generate(environment: ApiKeyEnvironment, id: ApiKeyId, ids: &dyn Ids) -> Self {
        let mut text = Self::public_part(environment, id);
        text.push('_');
        push_random(&mut text, ids);
        let sum = crc32(text.as_bytes());
        push_number(&mut text, sum.into(), CHECKSUM_LENGTH);
        Self { text: Secret::new(text), id, environment }
    }

    /// The beginning of a key, which is no secret: `bo_live_` and the id. It tells which key a leaked one is.
    pub fn public_part(environment: ApiKeyEnvironment, id: ApiKeyId) -> String {
        // The whole key fits, so that growing leaves no copies of a secret in memory.
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        text.push_str(environment.as_str());
        text.push('_');
        push_number(&mut text, id.uuid().as_u128(), ID_LENGTH);
        text
    }

    /// Which key it says to be.
    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What it says to be for.
    pub fn environment(&self) -> ApiKeyEnvironment {
        self.environment
    }

    /// The key itself: for its owner, for the exchange, for hashing, and for nothing else.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }
}

/// Random digits, all equally likely: a byte past the last multiple of 62 is not used.
fn push_random(text: &mut String, ids: &dyn Ids) {
    const FAIR: u8 = 248;
    let mut left = SECRET_LENGTH;
    let mut bytes = zeroize::Zeroizing::new([0_u8; 64]);
    while left > 0 {
        ids.random(bytes.as_mut());
        for byte in bytes.iter().filter(|byte| **byte < FAIR).take(left) {
            text.push(char::from(DIGITS[usize::from(byte % 62)]));
            left -= 1;
        }
    }
}

/// The number in base 62, most significant digit first, filled with zeros.
fn push_number(text: &mut String, mut number: u128, width: usize) {
    let mut digits = [b'0'; ID_LENGTH];
    for digit in digits.iter_mut().take(width) {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    text.extend(digits.iter().take(width).rev().map(|digit| char::from(*digit)));
}

/// Reads [`push_number`]; `None` for other characters and for more than 128 bits.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(value.into())
    })
}

/// CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), bit by bit: a key is 74 bytes, a table would not pay.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{RandomIds, SequenceIds};

    fn key(id: u128) -> ApiKeyText {
        let id = ApiKeyId::from_uuid(Uuid::from_u128(id));
        ApiKeyText::generate(ApiKeyEnvironment::Live, id, &RandomIds)
    }

    #[test]
    fn the_checksum_is_the_crc_32_that_everybody_has() {
        // The check value of the algorithm in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_key_has_one_form_for_ever() {
        let id = ApiKeyId::from_uuid(Uuid::from_u128(u128::MAX));
        let made = ApiKeyText::generate(ApiKeyEnvironment::Test, id, &SequenceIds::default());
        let whole = "bo_test_7n42DGM5Tflk9n8mt7Fhc7_gmd6nGffZj8nftbe4odfYGEe49k44nL7tjzGJYZiDAu1gx6q3";
        assert_eq!(made.expose(), whole);
        assert_eq!(made.expose().len(), 80);
        assert_eq!(ApiKeyText::public_part(ApiKeyEnvironment::Test, id), "bo_test_7n42DGM5Tflk9n8mt7Fhc7");
    }

    #[test]
    fn secrets_differ_and_use_every_digit() {
        let secrets: Vec<_> = (0..100).map(|n| key(n).expose()[31..74].to_owned()).collect();
        let mut distinct = secrets.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 100);
        let all = secrets.concat();
        assert!(DIGITS.iter().all(|digit| all.contains(char::from(*digit))));
    }

    #[test]
    fn nothing_prints_it() {
        let key = key(7);
        assert!(!format!("{key:?}").contains(&key.expose()[31..]));
    }

    #[test]
    fn what_means_to_be_a_key_is_told_from_other_credentials() {
        for yes in ["bo_live_x", "bo_test_", "bo_liev_typo", key(1).expose()] {
            assert!(ApiKeyText::looks_like_key(yes), "{yes}");
        }
        for no in ["", "bo", "bo_rt_3q2-796tvu", "eyJhbGciOiJFUzI1NiJ9.e30.x", "sk-abc", " bo_live_x", "BO_live_x"] {
            assert!(!ApiKeyText::looks_like_key(no), "{no}");
        }
    }

    #[test]
    fn an_id_of_more_than_128_bits_is_refused() {
        let mut text = "bo_live_7n42DGM5Tflk9n8mt7Fhc8_".to_owned() + &"0".repeat(SECRET_LENGTH);
        let sum = crc32(text.as_bytes());
        push_number(&mut text, sum.into(), CHECKSUM_LENGTH);
        assert_eq!(ApiKeyText::parse(&text).unwrap_err(), MalformedApiKey);
    }

    proptest! {
        #[test]
        fn what_was_made_reads_back(id: u128) {
            let made = key(id);
            let read = ApiKeyText::parse(made.expose()).unwrap();
            prop_assert_eq!(read.id().uuid().as_u128(), id);
            prop_assert_eq!(read.environment(), ApiKeyEnvironment::Live);
            prop_assert_eq!(read.expose(), made.expose());
        }

        #[test]
        fn one_wrong_character_is_always_found(id: u128, at in 0..LENGTH, other in "[0-9A-Za-z_]") {
            let made = key(id);
            let mut text = made.expose().to_owned();
            prop_assume!(text[at..=at] != *other);
            text.replace_range(at..=at, &other);
            prop_assert_eq!(ApiKeyText::parse(&text).unwrap_err(), MalformedApiKey);
        }

        #[test]
        fn no_text_is_too_odd(text in any::<String>(), tail in "\\PC{0,80}") {
            prop_assert!(ApiKeyText::parse(&text).is_err());
            let marked = format!("bo_live_{tail}");
            prop_assert!(ApiKeyText::parse(&marked).is_err());
        }
    }
}
