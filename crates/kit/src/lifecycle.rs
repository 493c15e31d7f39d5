//! Where a running service is in its life. One value, read by the health endpoints and by whoever holds long streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The stages of a service's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// State is being made; `/startupz` and `/readyz` answer 503.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what was begun; `/readyz` answers 503 so that load balancers look elsewhere, `/livez` still 200.
    Draining,
}

/// The current [`Phase`], shared. It only ever goes forward.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<AtomicU8>);

impl Lifecycle {
    /// The phase at this moment.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Goes forward to `phase`; an earlier phase is ignored.
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_never_goes_back() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Starting);
        lifecycle.enter(Phase::Ready);
        assert_eq!(lifecycle.clone().phase(), Phase::Ready);
        lifecycle.enter(Phase::Draining);
        lifecycle.enter(Phase::Ready);
        assert_eq!(lifecycle.phase(), Phase::Draining);
    }
}
