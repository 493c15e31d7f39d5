//! Who may call how often.
//!
//! Every call is counted against whoever makes it: an API key or a user, and their organization, apart for calls of
//! models; a call of nobody in particular against the address it comes from. Counted in this process alone: with n
//! gateways, a caller who reaches all of them has n times the limit. [`Limits::admit`] and [`Limits::admit_source`] are
//! where a count that is shared by all gateways would take the place of this one.

mod bucket;
mod reading;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use contracts::{ApiKeyId, OrgId, UserId};
use kit::auth::Claims;
use kit::http::codes;
use kit::{CancellationToken, Principal, Problem};
use prometheus::IntCounterVec;
use tokio::sync::Notify;

pub use reading::{Reading, Readings};

use self::bucket::Bucket;
use crate::config::{CallerRates, Rates};
use crate::domain::route::Class;

static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    kit::metrics::counters(
        "brainops_gateway_rate_limited_total",
        "Calls that were refused because there were too many of them, by the limit that was met.",
        &["service", "limit"],
    )
});

/// What one call counts.
pub const ONE: NonZeroU32 = NonZeroU32::MIN;
/// What a call counts that makes us hash a password, or write, for nobody who is known.
const UNKNOWN_WRITE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// Between two looks for counts that say nothing any more.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What a call without credentials counts against its source.
pub fn cost_of_unknown(method: &str) -> NonZeroU32 {
    if matches!(method, "GET" | "HEAD" | "OPTIONS") { ONE } else { UNKNOWN_WRITE }
}

/// Whose calls are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Of one key.
    Key(ApiKeyId),
    /// Of one person without a key.
    User(UserId),
    /// Of one organization.
    Organization(OrgId),
    /// Of one address.
    V4(Ipv4Addr),
    /// Of one network: the first half of an IPv6 address, which is what a customer of a provider gets (RFC 6177).
    V6(u64),
}

impl Subject {
    /// Where a call comes from. What has no address shares one.
    pub fn source(address: Option<IpAddr>) -> Self {
        match address {
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => Self::V6((address.to_bits() >> 64) as u64),
            None => Self::V4(Ipv4Addr::UNSPECIFIED),
        }
    }
}

/// Somebody who is known.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    subject: Subject,
    org: OrgId,
}

impl Caller {
    fn new(key: Option<ApiKeyId>, user: UserId, org: OrgId) -> Self {
        Self { subject: key.map_or(Subject::User(user), Subject::Key), org }
    }
}

impl From<&Principal> for Caller {
    fn from(principal: &Principal) -> Self {
        Self::new(principal.api_key, principal.user, principal.org)
    }
}

impl From<&Claims> for Caller {
    fn from(claims: &Claims) -> Self {
        Self::new(claims.api_key, claims.sub, claims.org)
    }
}

/// A call that is one too many, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    limit: &'static str,
    wait: Duration,
}

impl From<Exceeded> for Problem {
    fn from(Exceeded { limit, wait }: Exceeded) -> Self {
        let detail =
            format!("The limit {limit:?} of calls is used up; the headers RateLimit and Retry-After say until when");
        Self::new(&codes::TOO_MANY_REQUESTS).detail(detail).retry_after(wait)
    }
}

/// The counts of this process, shared by all workers.
pub struct Limits {
    ordinary: CallerLimits,
    model: CallerLimits,
    source: Option<Bucket>,
    /// There may be much to sweep.
    crowded: Notify,
}

struct CallerLimits {
    caller: Option<Bucket>,
    organization: Option<Bucket>,
}

impl CallerLimits {
    fn new(rates: CallerRates, caller: &'static str, organization: &'static str) -> Self {
        Self { caller: Bucket::new(caller, rates.caller), organization: Bucket::new(organization, rates.organization) }
    }
}

impl Limits {
    /// Nothing is counted yet.
    pub fn new(rates: &Rates) -> Self {
        Self {
            ordinary: CallerLimits::new(rates.ordinary, "caller", "organization"),
            model: CallerLimits::new(rates.model, "model-caller", "model-organization"),
            source: Bucket::new("source", rates.source),
            crowded: Notify::new(),
        }
    }

    /// Counts a call of somebody who is known. The readings are for the answer, whatever it is.
    pub fn admit(&self, caller: &Caller, class: Class) -> (Readings, Result<(), Exceeded>) {
        let limits = match class {
            Class::Ordinary | Class::Upload => &self.ordinary,
            Class::Model => &self.model,
        };
        let mut readings = Readings::default();
        let admitted = self.take(limits.caller.as_ref(), caller.subject, ONE, &mut readings).and_then(|()| {
            self.take(limits.organization.as_ref(), Subject::Organization(caller.org), ONE, &mut readings)
        });
        (readings, admitted)
    }

    /// Counts a call of somebody who is not known, or not yet.
    pub fn admit_source(&self, address: Option<IpAddr>, cost: NonZeroU32) -> (Readings, Result<(), Exceeded>) {
        let mut readings = Readings::default();
        let admitted = self.take(self.source.as_ref(), Subject::source(address), cost, &mut readings);
        (readings, admitted)
    }

    fn take(
        &self,
        bucket: Option<&Bucket>,
        subject: Subject,
        cost: NonZeroU32,
        readings: &mut Readings,
    ) -> Result<(), Exceeded> {
        let Some(bucket) = bucket else { return Ok(()) };
        let taken = bucket.take(subject, cost);
        readings.push(taken.reading);
        if taken.crowded {
            self.crowded.notify_one();
        }
        match taken.wait {
            None => Ok(()),
            Some(wait) => {
                REFUSED.with_label_values(&["gateway", bucket.name()]).inc();
                Err(Exceeded { limit: bucket.name(), wait })
            }
        }
    }

    /// Forgets, until `stop`, counts that are as if they were not there.
    pub async fn sweep(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.crowded.notified() => {}
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
            for bucket in self.buckets() {
                bucket.sweep();
            }
        }
    }

    fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        let callers = [&self.ordinary, &self.model];
        callers.into_iter().flat_map(|limits| [&limits.caller, &limits.organization]).chain([&self.source]).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Subject {
        Subject::source(Some(address.parse().unwrap()))
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_an_address_of_ipv4_is() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_ne!(source("203.0.113.7"), source("203.0.113.8"));
    }

    fn rates(caller: u32, organization: u32, source: u32) -> Rates {
        let rates = CallerRates { caller, organization };
        Rates { ordinary: rates, model: rates, source }
    }

    fn caller(user: u128, org: u128, key: Option<u128>) -> Caller {
        let uuid = uuid::Uuid::from_u128;
        Caller::new(
            key.map(|key| ApiKeyId::from_uuid(uuid(key))),
            UserId::from_uuid(uuid(user)),
            OrgId::from_uuid(uuid(org)),
        )
    }

    /// How many of a hundred calls pass.
    fn passed(limits: &Limits, caller: Caller, class: Class) -> usize {
        (0..100).filter(|_| limits.admit(&caller, class).1.is_ok()).count()
    }

    #[test]
    fn each_caller_has_a_limit_and_so_has_their_organization() {
        let limits = Limits::new(&rates(10, 25, 0));
        assert_eq!(passed(&limits, caller(1, 1, None), Class::Ordinary), 10);
        assert_eq!(
            passed(&limits, caller(1, 1, Some(1)), Class::Ordinary),
            10,
            "a key is counted apart from its owner"
        );
        assert_eq!(passed(&limits, caller(2, 1, None), Class::Ordinary), 5, "the organization's limit is met");
        assert_eq!(passed(&limits, caller(3, 2, None), Class::Ordinary), 10, "another organization has its own");
        assert_eq!(passed(&limits, caller(2, 2, None), Class::Model), 10, "models are counted apart");
    }

    #[test]
    fn what_is_refused_says_by_which_limit() {
        let limits = Limits::new(&rates(1_000, 3, 0));
        passed(&limits, caller(1, 1, None), Class::Model);
        let (readings, refused) = limits.admit(&caller(1, 1, None), Class::Model);
        assert_eq!(refused.unwrap_err().limit, "model-organization");
        let names: Vec<_> = readings.iter().map(|reading| reading.limit).collect();
        assert_eq!(names, ["model-caller", "model-organization"]);
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = Limits::new(&rates(0, 0, 0));
        assert_eq!(passed(&limits, caller(1, 1, None), Class::Ordinary), 100);
        let (readings, admitted) = limits.admit_source(None, ONE);
        assert!(readings.iter().next().is_none() && admitted.is_ok());
    }

    #[test]
    fn a_sign_in_counts_more_than_a_look() {
        let limits = Limits::new(&rates(0, 0, 20));
        let passed = |method| (0..100).filter(|_| limits.admit_source(None, cost_of_unknown(method)).1.is_ok()).count();
        assert_eq!((passed("POST"), passed("GET")), (4, 0));
    }
}
