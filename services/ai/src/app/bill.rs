//! Who pays for a call: exactly once, whatever becomes of it.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    clients::Failure,
    domain::{
        chat::{Completion, Part, StopReason, TokenUsage},
        model::Model,
        money::{NanoUsd, Prices},
        provider::ProviderKind,
        turn::Turn,
    },
    ledger::{Headroom, Operation, Outcome, Reservation, Spent},
    metrics,
    routing::Chosen,
};

/// A reservation on its way to being settled.
///
/// [`close`](Self::close) settles it. Dropped, it settles what was used so far when a provider has seen the call (the
/// caller left), and gives the reservation back when none has. [`refund`](Self::refund) gives it back in any case.
#[must_use]
pub struct Bill {
    reservation: Option<Reservation>,
    operation: Operation,
    prices: Prices,
    kind: Option<ProviderKind>,
    /// A provider has been asked.
    sent: AtomicBool,
    begun: Instant,
    usage: TokenUsage,
    estimated: bool,
    draft: Draft,
}

/// The parts of [`Spent`] that become known on the way.
#[derive(Default)]
struct Draft {
    provider: Option<String>,
    upstream_model: Option<String>,
    streamed: bool,
    time_to_first_token: Option<Duration>,
    attempts: u32,
    cached: bool,
    session_id: Option<String>,
    turn: Option<Turn>,
}

impl Bill {
    /// Nothing but the `input` (tokens, about) is used yet.
    pub fn new(reservation: Reservation, operation: Operation, model: &Model, input: u64, begun: Instant) -> Self {
        Self {
            reservation: Some(reservation),
            operation,
            prices: model.prices,
            kind: None,
            sent: AtomicBool::new(false),
            begun,
            usage: TokenUsage { input, ..TokenUsage::default() },
            estimated: true,
            draft: Draft::default(),
        }
    }

    /// The memory session that the call belongs to, and the turn if it is to be kept there.
    pub fn in_session(mut self, session_id: Option<String>, turn: Option<Turn>) -> Self {
        (self.draft.session_id, self.draft.turn) = (session_id, turn);
        self
    }

    /// Whether anybody wants to know what the model says.
    pub fn is_remembered(&self) -> bool {
        self.draft.turn.is_some()
    }

    /// The model said this.
    pub fn said(&mut self, parts: &[Part], interrupted: bool) {
        if let Some(turn) = &mut self.draft.turn {
            turn.answered(parts, interrupted);
        }
    }

    /// The model's answer is this; of several the first.
    pub fn said_all(&mut self, completion: &Completion) {
        if let Some(first) = completion.choices.first() {
            self.said(&first.parts, false);
        }
    }

    /// The answer comes in pieces.
    pub fn streamed(mut self) -> Self {
        self.draft.streamed = true;
        self
    }

    /// The quotas after the reservation.
    pub fn headroom(&self) -> Headroom {
        self.reservation.as_ref().map(Reservation::headroom).unwrap_or_default()
    }

    /// Asks a provider. Leaving meanwhile is not free; leaving after it gave no answer is.
    ///
    /// Takes a future that is pinned elsewhere: one that is passed by value stands twice in the caller's, and a call holds
    /// all of it as long as the provider thinks.
    pub async fn asking<T>(&self, ask: Pin<&mut impl Future<Output = Result<T, Failure>>>) -> Result<T, Failure> {
        self.sent.store(true, Ordering::Relaxed);
        let answer = ask.await;
        self.sent.store(answer.is_ok(), Ordering::Relaxed);
        answer
    }

    /// The input is so many tokens, about.
    pub fn input(&self) -> u64 {
        self.usage.input
    }

    /// Somebody answers.
    pub fn answered_by(&mut self, route: &Chosen, attempts: u32) {
        self.prices = route.prices.unwrap_or(self.prices);
        self.kind = Some(route.provider.kind);
        self.draft.provider = Some(route.provider.name.clone());
        self.draft.upstream_model = Some(route.upstream_model.clone());
        self.draft.attempts = attempts;
    }

    /// The first content came.
    pub fn first_token(&mut self) {
        if self.draft.time_to_first_token.is_none() {
            let took = self.begun.elapsed();
            self.draft.time_to_first_token = Some(took);
            if let Some(kind) = self.kind {
                metrics::first_token(kind, took);
            }
        }
    }

    /// What was used, as the provider told, or `estimated`.
    pub fn used(&mut self, usage: TokenUsage, estimated: bool) {
        (self.usage, self.estimated) = (usage, estimated);
    }

    /// What it costs as it stands.
    pub fn cost(&self) -> NanoUsd {
        self.prices.cost(&self.usage)
    }

    /// Settles. The record is as durable as configured when the future is done; it need not be awaited.
    pub fn close(mut self, outcome: Outcome, stop: Option<StopReason>) -> impl Future<Output = ()> + Send + 'static {
        let settled = self.settle(outcome, stop);
        async move {
            if let Some(settled) = settled {
                settled.await;
            }
        }
    }

    /// Settles an answer that cost nothing, because it was there already.
    pub fn close_cached(mut self, stop: Option<StopReason>) -> impl Future<Output = ()> + Send + 'static {
        self.draft.cached = true;
        (self.usage, self.estimated) = (TokenUsage::default(), false);
        self.close(Outcome::Completed, stop)
    }

    /// No provider gave an answer: nobody pays.
    pub fn refund(mut self) {
        drop(self.reservation.take());
    }

    fn settle(
        &mut self,
        outcome: Outcome,
        stop: Option<StopReason>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let reservation = self.reservation.take()?;
        let draft = std::mem::take(&mut self.draft);
        let duration = self.begun.elapsed();
        metrics::ended(self.operation, self.kind, outcome, &self.usage, duration);
        Some(reservation.settle(Spent {
            usage: self.usage,
            cost: self.prices.cost(&self.usage),
            estimated: self.estimated,
            provider: draft.provider,
            upstream_model: draft.upstream_model,
            streamed: draft.streamed,
            outcome,
            stop,
            time_to_first_token: draft.time_to_first_token,
            duration,
            attempts: draft.attempts,
            cached: draft.cached,
            session_id: draft.session_id,
            turn: draft.turn,
        }))
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        if self.sent.load(Ordering::Relaxed) {
            // The ledger has taken the record when the call returns; nobody is there to wait for more.
            drop(self.settle(Outcome::ClientLeft, None));
        }
    }
}
