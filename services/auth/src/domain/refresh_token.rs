//! Refresh tokens: 256 random bits that are stored as a keyed hash and work once.
//!
//! Two honest requests may race with one token (a page with two tabs, an answer lost on the way). So the successor of a
//! token is handed out again for [`GRACE`]; whoever presents the token later holds a copy, and the family ends.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use kit::{Ids, Secret};

/// How long a used token still gives its successor.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Lets secret scanners and people recognize what leaked.
const PREFIX: &str = "bo_rt_";
const SECRET_BYTES: usize = 32;

/// A refresh token in the clear: exists while a request is answered, never stored.
#[derive(Clone, Debug)]
pub struct RefreshToken(Secret<String>);

/// What is stored of a token.
pub type TokenHash = [u8; 32];

impl RefreshToken {
    pub fn generate(ids: &dyn Ids) -> Self {
        let mut secret = [0; SECRET_BYTES];
        ids.random(&mut secret);
        Self(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))))
    }

    /// `None` for what this service never made.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (secret.len() == SECRET_BYTES).then(|| Self(Secret::new(text.to_owned())))
    }

    /// The token itself, for the answer to its owner.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What rotating found out about a presented token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// First use: the new successor is in force.
    First,
    /// A second use within the grace: the successor that the first use made, sealed.
    Again { successor: String },
    /// A copy.
    Reused,
}

impl Presented {
    /// `rotated_at` is when the token was first used, `mine` whether that was this very request. Past the grace the
    /// sealed successor is wiped, which counts as past the grace too.
    pub fn judge(mine: bool, rotated_at: DateTime<Utc>, successor: Option<String>, now: DateTime<Utc>) -> Self {
        match successor {
            _ if mine => Self::First,
            Some(successor) if now - rotated_at <= GRACE => Self::Again { successor },
            _ => Self::Reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::SequenceIds;

    use super::*;

    #[test]
    fn a_token_has_256_bits_and_reads_back() {
        let token = RefreshToken::generate(&SequenceIds::default());
        assert_eq!(token.expose().len(), PREFIX.len() + 43);
        assert_eq!(RefreshToken::parse(token.expose()).unwrap().expose(), token.expose());
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn what_is_no_token_is_not_looked_up() {
        let long = format!("{PREFIX}{}", "A".repeat(60));
        for text in ["", "bo_rt_", "bo_rt_AAAA", "eyJhbGciOiJFUzI1NiJ9.e30.x", "bo_rt_!!!", &long] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ten_seconds_are_grace_and_longer_is_reuse() {
        let used = DateTime::UNIX_EPOCH;
        let sealed = || Some("sealed".to_owned());
        assert_eq!(Presented::judge(true, used, sealed(), used), Presented::First);
        let again = Presented::Again { successor: "sealed".to_owned() };
        assert_eq!(Presented::judge(false, used, sealed(), used + GRACE), again);
        assert_eq!(
            Presented::judge(false, used, sealed(), used + GRACE + TimeDelta::milliseconds(1)),
            Presented::Reused
        );
        assert_eq!(Presented::judge(false, used, None, used), Presented::Reused);
        // A replica whose clock is behind sees a use in the future: still a race, not a theft.
        assert_eq!(Presented::judge(false, used, sealed(), used - TimeDelta::seconds(90)), again);
    }
}
