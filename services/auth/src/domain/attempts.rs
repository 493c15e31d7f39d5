//! How often a secret may be tried. An attempt is counted before the work it asks for, so that parallel attempts cannot
//! slip through between the check and the count.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What an attempt is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// One account tried from one source: what stops guessing, without locking the owner out elsewhere.
    AccountFromSource,
    /// One account tried from anywhere: far higher, it stops a botnet and not a nuisance.
    Account,
    /// One source trying any account: stops one password tried on many accounts.
    Source,
    /// One source registering accounts.
    Registration,
}

/// Attempts that a bucket takes in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub attempts: i64,
    pub window: TimeDelta,
}

/// The limits of every bucket.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub account_from_source: Limit,
    pub account: Limit,
    pub source: Limit,
    pub registration: Limit,
}

impl Limits {
    pub fn of(&self, bucket: Bucket) -> Limit {
        match bucket {
            Bucket::AccountFromSource => self.account_from_source,
            Bucket::Account => self.account,
            Bucket::Source => self.source,
            Bucket::Registration => self.registration,
        }
    }
}

/// A bucket after this attempt was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub bucket: Bucket,
    pub made: i64,
    /// When its window ends and it is empty again.
    pub resets_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct TooMany {
    /// Until the last full bucket empties.
    pub retry_after: Duration,
}

/// Who counts as one source. An IPv6 customer has at least a /64 (RFC 6177), and could take a new address for each attempt.
pub fn source(address: Option<IpAddr>) -> String {
    match address {
        None => "unknown".to_owned(),
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Some(v4) => v4.to_string(),
    }
}

/// Whether the attempt may go on.
pub fn judge(limits: &Limits, counted: &[Counted], now: DateTime<Utc>) -> Result<(), TooMany> {
    let wait = counted.iter().filter(|c| c.made > limits.of(c.bucket).attempts).map(|c| c.resets_at - now).max();
    match wait {
        None => Ok(()),
        Some(wait) => Err(TooMany { retry_after: wait.to_std().unwrap_or_default() }),
    }
}

/// Which bucket of the account this very attempt used up, if one: that a failure did so is worth an event.
pub fn used_up<'a>(limits: &Limits, counted: &'a [Counted]) -> Option<&'a Counted> {
    counted
        .iter()
        .filter(|c| matches!(c.bucket, Bucket::AccountFromSource | Bucket::Account))
        .find(|c| c.made == limits.of(c.bucket).attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let limit = |attempts| Limit { attempts, window: TimeDelta::minutes(15) };
        Limits { account_from_source: limit(10), account: limit(100), source: limit(50), registration: limit(30) }
    }

    fn counted(bucket: Bucket, made: i64) -> Counted {
        Counted { bucket, made, resets_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(15) }
    }

    #[test]
    fn the_last_attempt_of_a_limit_goes_on_and_the_next_waits_for_the_window_to_end() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(5);
        assert_eq!(judge(&limits(), &[counted(Bucket::AccountFromSource, 10)], now), Ok(()));
        let refused = judge(&limits(), &[counted(Bucket::AccountFromSource, 11), counted(Bucket::Source, 11)], now);
        assert_eq!(refused, Err(TooMany { retry_after: Duration::from_mins(10) }));
    }

    #[test]
    fn a_source_is_an_address_or_an_ipv6_network() {
        let of = |text: &str| source(Some(text.parse().unwrap()));
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn a_full_source_is_no_event_about_the_account() {
        assert_eq!(used_up(&limits(), &[counted(Bucket::Source, 50)]), None);
        assert_eq!(used_up(&limits(), &[counted(Bucket::AccountFromSource, 9)]), None);
        let both = [counted(Bucket::Source, 3), counted(Bucket::AccountFromSource, 10)];
        assert_eq!(used_up(&limits(), &both), Some(&both[1]));
        assert_eq!(used_up(&limits(), &[counted(Bucket::AccountFromSource, 11)]), None);
    }
}
