//! Which route a call takes, and what happens when it fails: weights, latency, circuits, retries, fallbacks, deadlines.

mod choose;
mod circuit;
mod dice;
mod health;
mod plan;
#[cfg(test)]
mod tests;

use std::{ops::Deref, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{Instrument, Span};

pub use dice::Dice;
pub use health::Lease;

use self::{
    health::HealthBook,
    plan::{Next, Plan},
};
use crate::{
    clients::{Attempt, Deadlines, Failure, Kind},
    domain::model::{Model, Route},
    metrics,
};

/// How often and how long a call is tried.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Attempts of one call at most, over all routes.
    pub attempts: u32,
    /// Until the first event of a stream.
    pub first_byte: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    /// Until the end of an answer that is not streamed, each attempt.
    pub attempt: Duration,
    /// The whole call, pauses included; of a stream, until its first event.
    pub total: Duration,
    /// How long a call waits for routes that asked to be left alone, instead of passing the refusal on.
    pub patience: Duration,
}

/// Whether the answer comes in pieces: then its latency is that of the first piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Whole = 0,
    Stream = 1,
}

/// What is asked of a provider; the same for every attempt.
pub trait Ask: Sync {
    type Answer: Send;

    /// `gen_ai.operation.name`: `chat`, `embeddings`.
    const OPERATION: &'static str;

    /// One attempt, to its answer or, for a stream, to its first event.
    fn ask<'a>(&'a self, attempt: Attempt<'a>) -> impl Future<Output = Result<Self::Answer, Failure>> + Send + 'a;
}

/// Finds routes and remembers how they did. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    policy: Policy,
    health: HealthBook,
    dice: Arc<Dice>,
}

/// An answer and how it was come by.
#[derive(Debug)]
pub struct Routed<T> {
    pub answer: T,
    pub route: Chosen,
    /// Made so far, this one included.
    pub attempts: u32,
    /// Time that was not our own: at providers, and in pauses that their failures made necessary.
    pub away: Duration,
    /// To be told how the answer ended.
    pub lease: Lease,
    /// The span of the attempt, to be told the usage.
    pub span: Span,
}

/// One of a model's routes.
#[derive(Clone, Debug)]
pub struct Chosen {
    model: Arc<Model>,
    index: usize,
}

impl Deref for Chosen {
    type Target = Route;

    fn deref(&self) -> &Route {
        &self.model.routes[self.index]
    }
}

/// No route gave an answer.
#[derive(Debug, thiserror::Error)]
#[error("no route gave an answer after {attempts} attempts")]
pub struct Exhausted {
    /// How the last attempt failed, or why none was made.
    #[source]
    pub failure: Failure,
    /// When it may be worth to come back.
    pub retry_after: Option<Duration>,
    pub attempts: u32,
    /// As in [`Routed::away`].
    pub away: Duration,
}

impl Router {
    pub fn new(policy: Policy, dice: Dice) -> Self {
        Self { policy, health: HealthBook::new(), dice: Arc::new(dice) }
    }

    /// Asks the model's routes until one answers or nothing is left to try. Never asks again once a route has answered.
    pub async fn run<A: Ask>(&self, model: &Arc<Model>, mode: Mode, ask: &A) -> Result<Routed<A::Answer>, Exhausted> {
        let begun = Instant::now();
        let deadline = begun + self.policy.total;
        let patience = begun + self.policy.patience;
        let mut plan = Plan::new(&model.routes, self.policy.attempts);
        let mut progress = Progress::default();
        loop {
            let now = Instant::now();
            let standing = |index: usize| self.health.of(&model.routes[index]).standing(mode, now);
            let (index, pause) = match plan.next(standing, &self.dice) {
                Next::Try { route, pause } => (route, pause),
                Next::Wait { until } if until < patience.min(deadline) => {
                    // Others wait for the same moment; not all of them should find it at once.
                    progress.rest(until + self.dice.up_to(CROWD)).await;
                    continue;
                }
                Next::Wait { until } => return Err(progress.exhausted(Kind::RateLimited, now, Some(until))),
                Next::GiveUp { come_back } => return Err(progress.exhausted(Kind::Unreachable, now, come_back)),
            };
            if now + pause >= deadline {
                return Err(progress.exhausted(Kind::Timeout, now, None));
            }
            if !pause.is_zero() {
                progress.rest(now + pause).await;
            }
            let route = Chosen { model: Arc::clone(model), index };
            let now = Instant::now();
            // Somebody else's failure, or another's probe, may have come first: look again.
            let Some(mut lease) = self.health.of(&route).lease(mode, now) else { continue };
            plan.attempt(index);
            progress.attempts += 1;
            let span = attempt_span(A::OPERATION, &route);
            let attempt = Attempt {
                provider: &route.provider,
                model: &route.upstream_model,
                max_output_tokens: model.max_output_tokens,
                deadlines: self.deadlines(mode, deadline.duration_since(now)),
            };
            let answer = timeout_at(deadline, ask.ask(attempt)).instrument(span.clone()).await;
            let answered = Instant::now();
            progress.away += answered.duration_since(now);
            match answer.unwrap_or_else(|_elapsed| Err(Failure::new(Kind::Timeout))) {
                Ok(answer) => {
                    metrics::attempted(route.provider.kind, "answered");
                    lease.answered(answered);
                    let Progress { attempts, away, .. } = progress;
                    return Ok(Routed { answer, route, attempts, away, lease, span });
                }
                Err(failure) => {
                    told(&span, &route, &failure);
                    lease.failed(&failure, answered);
                    plan.failed(index, &failure);
                    progress.last = Some(failure);
                }
            }
        }
    }

    fn deadlines(&self, mode: Mode, left: Duration) -> Deadlines {
        let total = self.policy.attempt.min(left);
        // A whole answer has its head when it is ready.
        let first_byte = if mode == Mode::Stream { self.policy.first_byte.min(left) } else { total };
        Deadlines { first_byte, idle: self.policy.idle, total }
    }
}

/// Over this time calls that waited for the same moment are spread.
const CROWD: Duration = Duration::from_millis(250);

/// What one call went through.
#[derive(Default)]
struct Progress {
    attempts: u32,
    away: Duration,
    last: Option<Failure>,
}

impl Progress {
    async fn rest(&mut self, until: Instant) {
        let since = Instant::now();
        sleep_until(until).await;
        self.away += since.elapsed();
    }

    /// `otherwise`: what to say when no attempt was made.
    fn exhausted(self, otherwise: Kind, now: Instant, come_back: Option<Instant>) -> Exhausted {
        let failure = self.last.unwrap_or_else(|| Failure::new(otherwise));
        let retry_after = come_back.map(|then| then.saturating_duration_since(now)).or(failure.retry_after);
        Exhausted { failure, retry_after, attempts: self.attempts, away: self.away }
    }
}

/// A client span as the `GenAI` conventions of OpenTelemetry name it
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>); without anything that was said.
fn attempt_span(operation: &'static str, route: &Route) -> Span {
    use tracing::field::Empty;
    tracing::info_span!(
        "model",
        otel.name = format_args!("{operation} {}", route.upstream_model),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = semantic_name(route),
        gen_ai.request.model = route.upstream_model,
        gen_ai.response.model = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        server.address = route.provider.base_url.host_str(),
        brainops.provider = route.provider.name,
        "error.type" = Empty,
    )
}

/// The well-known values of `gen_ai.provider.name`.
fn semantic_name(route: &Route) -> &'static str {
    use crate::domain::provider::ProviderKind;
    match route.provider.kind {
        ProviderKind::Openai => "openai",
        ProviderKind::Anthropic => "anthropic",
        ProviderKind::Gemini => "gcp.gemini",
    }
}

/// Records a failure where operators look: span, metric, and one line unless the request was at fault.
pub fn told(span: &Span, route: &Route, failure: &Failure) {
    span.record("error.type", failure.kind.as_str());
    span.record("otel.status_code", "ERROR");
    metrics::attempted(route.provider.kind, failure.kind.as_str());
    if !failure.kind.counts_against_the_route() {
        return;
    }
    tracing::warn!(
        parent: span,
        error.kind = failure.kind.as_str(),
        http.response.status_code = failure.status,
        // The provider's own word for it, without its key.
        error.code = failure.code,
        error.cause = std::error::Error::source(failure).map(ToString::to_string),
        "A provider failed"
    );
}
