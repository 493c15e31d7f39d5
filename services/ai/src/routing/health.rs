//! What is known of a route: its circuit, how fast it answers, until when it asked to be left alone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::RouteId;
use moka::sync::Cache;
use tokio::time::Instant;

use super::{
    Mode,
    circuit::{Circuit, Gate, Turn},
};
use crate::{
    clients::{Failure, Kind},
    domain::{model::Route, provider::ProviderKind},
    metrics,
};

/// Weight of the newest measurement in the average: after ten calls nine tenths of it are new.
const SMOOTHING: f64 = 0.2;

/// Longest time for which a provider is believed that it wants to be left alone.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// How long a provider is left alone that allows no more calls and does not say for how long.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// Routes that nobody used for so long are forgotten.
const FORGET_AFTER: Duration = Duration::from_hours(1);

/// Routes that are remembered at most.
const MOST_ROUTES: u64 = 20_000;

/// Everything known of every route. Cheap to clone.
#[derive(Clone)]
pub struct HealthBook(Cache<RouteId, Arc<RouteHealth>>);

/// What is known of one route.
#[derive(Debug)]
pub struct RouteHealth {
    provider: ProviderKind,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    circuit: Circuit,
    /// Seconds to the first byte by [`Mode`], moving average.
    latency: [Option<f64>; 2],
    wait_until: Option<Instant>,
    /// The circuit counts as open in the metrics.
    shown_open: bool,
}

/// Whether a route may be used now, and how good it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    pub access: Access,
    /// Moving average of the seconds to the first byte; `None` before the first call.
    pub latency: Option<f64>,
}

/// Whether a route may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Free,
    /// It asked to be left alone until then.
    Waiting(Instant),
    /// Its circuit is open until then, or until its probe is back.
    Broken(Instant),
}

impl HealthBook {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_ROUTES).time_to_idle(FORGET_AFTER).build())
    }

    /// What is known of `route`; nothing at first.
    pub fn of(&self, route: &Route) -> Arc<RouteHealth> {
        self.0.get_with(route.id, || Arc::new(RouteHealth { provider: route.provider.kind, inner: Mutex::default() }))
    }
}

impl RouteHealth {
    /// How it stands now.
    pub fn standing(&self, mode: Mode, now: Instant) -> Standing {
        let inner = self.lock();
        let access = match (inner.circuit.gate(now), inner.wait_until) {
            (Gate::Shut { until }, _) => Access::Broken(until),
            (Gate::Passes, Some(until)) if now < until => Access::Waiting(until),
            (Gate::Passes, _) => Access::Free,
        };
        Standing { access, latency: inner.latency[mode as usize] }
    }

    /// Takes the route for one attempt; `None` when it has become unusable since it was looked at.
    pub fn lease(self: Arc<Self>, mode: Mode, now: Instant) -> Option<Lease> {
        let mut inner = self.lock();
        if inner.wait_until.is_some_and(|until| now < until) {
            return None;
        }
        let probe = inner.circuit.enter(now)?;
        drop(inner);
        Some(Lease { health: self, mode, since: now, probe, told: false })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Whatever panicked while it was held, each field is valid by itself.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a turn of the circuit to operators.
    fn note(&self, turn: Option<Turn>) {
        let Some(turn) = turn else { return };
        self.show(turn != Turn::Closed);
        match turn {
            Turn::Opened { pause } => tracing::warn!(
                gen_ai.provider.name = self.provider.as_str(),
                pause_ms = pause.as_millis(),
                "A route keeps failing and is left alone for a while"
            ),
            Turn::Closed => {
                tracing::info!(gen_ai.provider.name = self.provider.as_str(), "A route answers again");
            }
        }
    }

    fn show(&self, open: bool) {
        let was = std::mem::replace(&mut self.lock().shown_open, open);
        if was != open {
            metrics::circuit_turned(self.provider, open);
        }
    }
}

impl Drop for RouteHealth {
    fn drop(&mut self) {
        self.show(false);
    }
}

/// One attempt's hold on a route. Its fate is told once; dropped untold (the caller left) it says nothing of the route.
#[derive(Debug)]
pub struct Lease {
    health: Arc<RouteHealth>,
    mode: Mode,
    since: Instant,
    probe: bool,
    told: bool,
}

impl Lease {
    /// The first byte of the answer is here.
    pub fn answered(&mut self, now: Instant) {
        let seconds = now.duration_since(self.since).as_secs_f64();
        let mut inner = self.health.lock();
        let average = &mut inner.latency[self.mode as usize];
        *average = Some(average.map_or(seconds, |old| old + SMOOTHING * (seconds - old)));
        let turn = if self.probe { inner.circuit.probe_answered() } else { None };
        drop(inner);
        self.probe = false;
        self.health.note(turn);
    }

    /// The answer is here to its end.
    pub fn succeeded(mut self, now: Instant) {
        self.told = true;
        let turn = self.health.lock().circuit.succeeded(now);
        self.health.note(turn);
    }

    /// The attempt failed.
    pub fn failed(mut self, failure: &Failure, now: Instant) {
        self.told = true;
        let mut inner = self.health.lock();
        // A route that only says "not so fast" is well, and knows when it wants to be asked again.
        let rate_limited = failure.kind == Kind::RateLimited;
        if let Some(wait) = failure.retry_after.or(rate_limited.then_some(USUAL_WAIT)) {
            let until = now + wait.min(LONGEST_WAIT);
            inner.wait_until = Some(inner.wait_until.map_or(until, |known| known.max(until)));
        }
        let turn = if failure.kind.counts_against_the_route() && !rate_limited {
            inner.circuit.failed(now)
        } else if failure.kind == Kind::Unsupported {
            // Found out here, before anything was sent: that tells nothing of the route.
            if self.probe {
                inner.circuit.probe_abandoned(now);
            }
            None
        } else if self.probe {
            // It answered, if only to say that this request is at fault.
            inner.circuit.probe_answered()
        } else {
            None
        };
        drop(inner);
        self.health.note(turn);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.probe && !self.told {
            let mut inner = self.health.lock();
            inner.circuit.probe_abandoned(Instant::now());
        }
    }
}
