//! A service as the gateway sees it: replicas, how busy each is, and which of them are well.

mod dice;
mod replica;
mod watch;

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use kit::HealthCheck;
use prometheus::{IntCounterVec, IntGaugeVec};

pub use dice::Dice;
pub use replica::{Health, Lease, Replica};
pub use watch::watch;

use crate::config::ReplicaConfig;
use crate::domain::service::Service;

static RETRIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    kit::metrics::counters(
        "brainops_gateway_retries_total",
        "Requests sent to a second replica because the first could not be reached.",
        &["service", "upstream"],
    )
});

static FAILURES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    kit::metrics::counters(
        "brainops_gateway_failures_total",
        "Calls that a service did not answer, by the code of the problem that the client got instead.",
        &["service", "upstream", "code"],
    )
});

static REPLICAS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    kit::metrics::gauges(
        "brainops_gateway_replicas",
        "Replicas by what the last check of each said.",
        &["service", "upstream", "health"],
    )
});

static IN_FLIGHT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    kit::metrics::gauges(
        "brainops_gateway_calls_in_flight",
        "Calls that a service works on or whose answer is still on its way, at the last check of its replicas.",
        &["service", "upstream"],
    )
});

/// One service behind the gateway.
pub struct Upstream {
    /// Which.
    pub service: Service,
    configured: Vec<ReplicaConfig>,
    replicas: ArcSwap<Vec<Arc<Replica>>>,
}

impl Upstream {
    /// No replica is known before the first [`resolve`](Self::resolve).
    pub fn new(service: Service, configured: Vec<ReplicaConfig>) -> Self {
        Self { service, configured, replicas: ArcSwap::default() }
    }

    /// The replicas known at this moment.
    pub fn replicas(&self) -> Arc<Vec<Arc<Replica>>> {
        self.replicas.load_full()
    }

    /// Chooses a replica: the less busy of two random ones among those that are well. When none is well, any may be
    /// tried: a check that fails everywhere more likely tells of the check. `except` is the one that just failed.
    pub fn lease(&self, dice: &Dice, except: Option<SocketAddr>) -> Option<Lease> {
        let replicas = self.replicas.load();
        let candidates = |well: bool| {
            replicas
                .iter()
                .filter(move |replica| Some(replica.addr) != except && (!well || replica.health() != Health::Ill))
        };
        let (count, well) = match candidates(true).count() {
            0 => (candidates(false).count(), false),
            count => (count, true),
        };
        let chosen = match count {
            0 => return None,
            1 => candidates(well).next()?,
            _ => {
                let first = dice.below(count);
                // The second is another one than the first.
                let second = (first + 1 + dice.below(count - 1)) % count;
                let (first, second) = (candidates(well).nth(first)?, candidates(well).nth(second)?);
                if second.in_flight() < first.in_flight() { second } else { first }
            }
        };
        Some(Lease::new(Arc::clone(chosen)))
    }

    /// Whether there is a replica besides `addr`.
    pub fn has_other(&self, addr: SocketAddr) -> bool {
        self.replicas.load().iter().any(|replica| replica.addr != addr)
    }

    /// A request goes to a second replica.
    pub fn count_retry(&self) {
        RETRIES.with_label_values(&["gateway", self.service.name()]).inc();
    }

    /// The client got a problem instead of an answer.
    pub fn count_failure(&self, code: &str) {
        FAILURES.with_label_values(&["gateway", self.service.name(), code]).inc();
    }

    fn count_replicas(&self) {
        let replicas = self.replicas.load();
        for health in Health::ALL {
            let count = replicas.iter().filter(|replica| replica.health() == health).count();
            REPLICAS
                .with_label_values(&["gateway", self.service.name(), health.name()])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let in_flight: usize = replicas.iter().map(|replica| replica.in_flight()).sum();
        IN_FLIGHT
            .with_label_values(&["gateway", self.service.name()])
            .set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }
}

/// Well when at least one replica is.
impl HealthCheck for Upstream {
    fn name(&self) -> &str {
        self.service.name()
    }

    /// One service that is away must not take the gateway, and with it every other service, out of the load balancer.
    fn required(&self) -> bool {
        false
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let replicas = self.replicas.load();
        let well = replicas.iter().any(|replica| replica.health() == Health::Well);
        let answer = if well { Ok(()) } else { Err(format!("none of {} replicas is ready", replicas.len())) };
        Box::pin(std::future::ready(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(ports: &[u16]) -> Upstream {
        let upstream = Upstream::new(Service::Auth, Vec::new());
        let replica = |port: &u16| Arc::new(Replica::new(([127, 0, 0, 1], *port).into(), None, "auth").unwrap());
        upstream.replicas.store(Arc::new(ports.iter().map(replica).collect()));
        upstream
    }

    #[test]
    fn the_less_busy_of_two_is_chosen() {
        let (upstream, dice) = (upstream(&[1, 2]), Dice::new(7));
        let held: Vec<Lease> = (0..100).map(|_| upstream.lease(&dice, None).unwrap()).collect();
        let at = |port| held.iter().filter(|lease| lease.addr().port() == port).count();
        assert_eq!((at(1), at(2)), (50, 50));
    }

    #[test]
    fn a_lease_that_ends_is_no_longer_counted() {
        let (upstream, dice) = (upstream(&[1]), Dice::new(7));
        let lease = upstream.lease(&dice, None).unwrap();
        assert_eq!(lease.replica().in_flight(), 1);
        drop(lease);
        assert_eq!(upstream.replicas()[0].in_flight(), 0);
    }

    #[test]
    fn the_ill_are_left_alone_unless_all_are() {
        let (upstream, dice) = (upstream(&[1, 2, 3]), Dice::new(7));
        let replicas = upstream.replicas();
        replicas[0].found(Health::Ill);
        replicas[2].found(Health::Ill);
        assert!((0..50).all(|_| upstream.lease(&dice, None).unwrap().addr().port() == 2));
        replicas[1].found(Health::Ill);
        let ports: std::collections::BTreeSet<u16> =
            (0..100).map(|_| upstream.lease(&dice, None).unwrap().addr().port()).collect();
        assert_eq!(ports.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn the_one_that_failed_is_not_tried_again() {
        let (two, dice) = (upstream(&[1, 2]), Dice::new(7));
        let failed = two.replicas()[0].addr;
        assert!((0..50).all(|_| two.lease(&dice, Some(failed)).unwrap().addr().port() == 2));
        assert!(upstream(&[1]).lease(&dice, Some(failed)).is_none());
    }
}
