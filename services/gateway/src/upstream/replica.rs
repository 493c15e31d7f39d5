//! One replica of a service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use hyper::header::{HeaderValue, InvalidHeaderValue};

/// What is known of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not asked yet.
    Unknown,
    /// It said that it is ready.
    Well,
    /// It said that it is not, or nothing at all.
    Ill,
}

impl Health {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::Well, Self::Ill];

    /// As a metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Well => "ready",
            Self::Ill => "unready",
        }
    }
}

/// One replica, for as long as its address is among those of the service.
#[derive(Debug)]
pub struct Replica {
    /// The port for callers.
    pub addr: SocketAddr,
    /// The port for health and the API description. None while its name does not resolve.
    pub private: Option<SocketAddr>,
    /// `Host` of the requests it gets.
    pub authority: HeaderValue,
    in_flight: AtomicUsize,
    health: AtomicU8,
}

impl Replica {
    /// A replica that was not asked yet.
    pub fn new(addr: SocketAddr, private: Option<SocketAddr>, authority: &str) -> Result<Self, InvalidHeaderValue> {
        let authority = HeaderValue::from_str(authority)?;
        Ok(Self { addr, private, authority, in_flight: AtomicUsize::new(0), health: AtomicU8::new(0) })
    }

    /// Requests it is working on for this gateway.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// What the last check said.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Unknown,
            1 => Health::Well,
            _ => Health::Ill,
        }
    }

    /// A check said so. Tells whether that is news.
    pub fn found(&self, health: Health) -> bool {
        self.health.swap(health as u8, Ordering::Relaxed) != health as u8
    }

    /// A request met a closed door: no more of them until the next check says otherwise.
    pub fn could_not_connect(&self) {
        if self.found(Health::Ill) {
            tracing::warn!(upstream.replica = %self.addr, "A replica cannot be reached");
        }
    }
}

/// A request that a replica works on; counted while it lives.
#[derive(Debug)]
pub struct Lease(Arc<Replica>);

impl Lease {
    pub(super) fn new(replica: Arc<Replica>) -> Self {
        replica.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(replica)
    }

    /// The replica.
    pub fn replica(&self) -> &Replica {
        &self.0
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
