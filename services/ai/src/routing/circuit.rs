//! Keeps calls away from a route that is ill, and finds out with one call when it is well again.
//!
//! Closed: everything passes. It opens after [`CONSECUTIVE`] failures in a row, or when at least half of the
//! [`WINDOW_CALLS`] or more calls of the last [`WINDOW`] failed. Open: nothing passes for 5 s · 2ᵏ (at most 60 s), k being
//! how often in a row it has opened. Half-open: one call passes, and another one for
//! every 5 s that its fate stays open. When a probe's first byte
//! comes the circuit closes on parole: a single failure opens it again until a call has succeeded to its end.
//!
//! Pure: the time is an argument. Source of the pattern: Nygard, "Release It!", chapter "Stability Patterns".

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it.
const CONSECUTIVE: u32 = 5;
/// Length of the window in which the share of failures is measured.
const WINDOW: Duration = Duration::from_secs(30);
/// Calls in the window below which a share means nothing.
const WINDOW_CALLS: u32 = 20;
/// How long it stays open the first time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How long it stays open at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long a probe keeps others away: a whole answer may take minutes, and says nothing before its end.
const PROBE: Duration = Duration::from_secs(5);

/// The circuit of one route.
#[derive(Debug, Default)]
pub struct Circuit {
    state: State,
    failures_in_a_row: u32,
    /// How often in a row it has opened.
    openings: u32,
    window: Window,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// A probe is under way; the next may pass then.
    Probing {
        until: Instant,
    },
}

/// Calls and failures since some moment; starts over when it is full of time.
#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    calls: u32,
    failures: u32,
}

/// Whether a call may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Passes,
    /// Not before then.
    Shut {
        until: Instant,
    },
}

/// What changed, for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Opened { pause: Duration },
    Closed,
}

impl Circuit {
    /// Whether a call may pass now. Changes nothing.
    pub fn gate(&self, now: Instant) -> Gate {
        match self.state {
            State::Open { until } | State::Probing { until } if now < until => Gate::Shut { until },
            _ => Gate::Passes,
        }
    }

    /// Lets a call pass, or not. `Some(true)`: it is the probe, whose fate must be told.
    pub fn enter(&mut self, now: Instant) -> Option<bool> {
        match self.gate(now) {
            Gate::Shut { .. } => None,
            Gate::Passes if self.state == State::Closed => Some(false),
            Gate::Passes => {
                self.state = State::Probing { until: now + PROBE };
                Some(true)
            }
        }
    }

    /// The probe got its first byte.
    pub fn probe_answered(&mut self) -> Option<Turn> {
        if !matches!(self.state, State::Probing { .. }) {
            return None;
        }
        self.state = State::Closed;
        self.failures_in_a_row = CONSECUTIVE - 1;
        self.window = Window::default();
        Some(Turn::Closed)
    }

    /// The probe ended before it had told anything of the route: the next call is the probe.
    pub fn probe_abandoned(&mut self, now: Instant) {
        if matches!(self.state, State::Probing { .. }) {
            self.state = State::Open { until: now };
        }
    }

    /// A call succeeded to its end.
    pub fn succeeded(&mut self, now: Instant) -> Option<Turn> {
        let turn = self.probe_answered();
        self.failures_in_a_row = 0;
        self.openings = 0;
        self.window.count(now, false);
        turn
    }

    /// A call failed in a way that tells of the route.
    pub fn failed(&mut self, now: Instant) -> Option<Turn> {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.window.count(now, true);
        let opens = match self.state {
            // A call from before it opened; what it tells is known.
            State::Open { .. } => false,
            State::Probing { .. } => true,
            State::Closed => self.failures_in_a_row >= CONSECUTIVE || self.window.is_bad(),
        };
        opens.then(|| self.open(now))
    }

    fn open(&mut self, now: Instant) -> Turn {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.openings.min(10)).min(LONGEST_PAUSE);
        self.openings = self.openings.saturating_add(1);
        self.state = State::Open { until: now + pause };
        self.window = Window::default();
        Turn::Opened { pause }
    }
}

impl Window {
    fn count(&mut self, now: Instant, failed: bool) {
        if self.since.is_none_or(|since| now.duration_since(since) > WINDOW) {
            *self = Self { since: Some(now), calls: 0, failures: 0 };
        }
        self.calls += 1;
        self.failures += u32::from(failed);
    }

    fn is_bad(&self) -> bool {
        self.calls >= WINDOW_CALLS && self.failures * 2 >= self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn open_circuit(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 1..CONSECUTIVE {
            assert_eq!(circuit.failed(now), None);
        }
        assert_eq!(circuit.failed(now), Some(Turn::Opened { pause: 5 * SECOND }));
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        for _ in 0..3 {
            for _ in 1..CONSECUTIVE {
                assert_eq!(circuit.failed(now), None);
            }
            circuit.succeeded(now);
            circuit.window = Window::default();
        }
        assert_eq!(open_circuit(now).gate(now), Gate::Shut { until: now + 5 * SECOND });
    }

    #[test]
    fn a_half_of_many_calls_opens_it_too_but_not_when_they_are_long_ago() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        for n in 0..WINDOW_CALLS {
            let turn = if n % 2 == 0 { circuit.succeeded(now) } else { circuit.failed(now) };
            assert_eq!(turn.is_some(), n == WINDOW_CALLS - 1, "call {n}");
        }
        let mut circuit = Circuit::default();
        for n in 0..WINDOW_CALLS * 3 {
            let now = now + SECOND * 2 * n;
            assert_eq!(if n % 2 == 0 { circuit.succeeded(now) } else { circuit.failed(now) }, None, "call {n}");
        }
    }

    #[test]
    fn one_probe_passes_and_the_pause_doubles_until_it_succeeds() {
        let mut now = Instant::now();
        let mut circuit = open_circuit(now);
        for pause in [10, 20, 40, 60, 60] {
            let Gate::Shut { until } = circuit.gate(now) else { panic!("{circuit:?}") };
            assert_eq!(circuit.enter(until - Duration::from_millis(1)), None);
            now = until;
            assert_eq!(circuit.enter(now), Some(true));
            assert_eq!(circuit.enter(now), None, "one probe at a time");
            assert_eq!(circuit.gate(now), Gate::Shut { until: now + PROBE });
            assert_eq!(circuit.failed(now), Some(Turn::Opened { pause: pause * SECOND }));
        }
        now += 60 * SECOND;
        assert_eq!(circuit.enter(now), Some(true));
        assert_eq!(circuit.succeeded(now), Some(Turn::Closed));
        assert_eq!(circuit.enter(now), Some(false));
        assert_eq!(open_circuit(now).gate(now), Gate::Shut { until: now + 5 * SECOND });
    }

    #[test]
    fn a_long_probe_does_not_keep_others_away_for_its_whole_time() {
        let now = Instant::now();
        let mut circuit = open_circuit(now);
        let now = now + 5 * SECOND;
        assert_eq!(circuit.enter(now), Some(true));
        assert_eq!(circuit.enter(now + PROBE - Duration::from_millis(1)), None);
        assert_eq!(circuit.enter(now + PROBE), Some(true));
        assert_eq!(circuit.succeeded(now + 2 * PROBE), Some(Turn::Closed));
    }

    #[test]
    fn after_the_probes_first_byte_it_is_on_parole() {
        let now = Instant::now();
        let mut circuit = open_circuit(now);
        let now = now + 5 * SECOND;
        assert_eq!(circuit.enter(now), Some(true));
        assert_eq!(circuit.probe_answered(), Some(Turn::Closed));
        assert_eq!(circuit.enter(now), Some(false), "others pass while the probe streams on");
        assert_eq!(circuit.failed(now), Some(Turn::Opened { pause: 10 * SECOND }));
    }

    #[test]
    fn a_probe_whose_caller_left_gives_its_turn_to_the_next() {
        let now = Instant::now();
        let mut circuit = open_circuit(now);
        let now = now + 5 * SECOND;
        assert_eq!(circuit.enter(now), Some(true));
        circuit.probe_abandoned(now);
        assert_eq!(circuit.enter(now), Some(true));
    }
}
