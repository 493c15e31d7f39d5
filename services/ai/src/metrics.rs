//! What is counted about calls of models. Labels are bounded: what was done, the kind of provider, how it ended; never a
//! model, an organization or anything else that users name.

use std::{sync::LazyLock, time::Duration};

use kit::metrics::{SECONDS, counters, gauges, histograms};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::{
    domain::{chat::TokenUsage, provider::ProviderKind},
    ledger::{Operation, Outcome},
};

const SERVICE: &str = "ai";

/// Seconds of our own work: from 50 µs on.
const OWN_SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.000_75, 0.001, 0.001_5, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0];

/// Seconds that models take.
const MODEL_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0];

static CALLS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("ai_calls_total", "Calls of models, by how they ended.", &["service", "operation", "outcome"])
});

static ATTEMPTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("ai_attempts_total", "Attempts at providers, by result.", &["service", "provider", "result"])
});

static FIRST_TOKEN: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds from a streamed call to its first piece of content.";
    histograms("ai_time_to_first_token_seconds", help, &["service", "provider"], MODEL_SECONDS)
});

static DURATION: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds from a call to the end of its answer.";
    histograms("ai_call_duration_seconds", help, &["service", "operation", "provider"], MODEL_SECONDS)
});

static OVERHEAD: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds of our own work in a call, until the answer's head, without the provider's time.";
    histograms("ai_overhead_seconds", help, &["service", "operation"], OWN_SECONDS)
});

static TOKENS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counters("ai_tokens_total", "Tokens used.", &["service", "provider", "direction"]));

static CIRCUITS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges("ai_circuits_open", "Routes that are left alone because they keep failing.", &["service", "provider"])
});

static CACHE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("ai_response_cache_total", "Calls that asked for the response cache, by result.", &["service", "result"])
});

static STREAMS: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("ai_streams_open", "Streamed answers under way.", &["service"]));

static COUNTING: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds to count the tokens of an answer whose provider did not tell.";
    histograms("ai_token_count_seconds", help, &["service"], SECONDS)
});

static RECALLS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds that calls waited for what is recalled from memory, by result.";
    histograms("ai_recall_seconds", help, &["service", "result"], SECONDS)
});

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat(dialect) => dialect.as_str(),
        Operation::Embeddings => "embeddings",
    }
}

/// A call was refused or failed before anything was produced; `code` is one of our own error codes.
pub fn refused(of: Operation, code: &'static str) {
    CALLS.with_label_values(&[SERVICE, operation(of), code]).inc();
}

/// A call ended with a whole or partial answer. `provider` is `None` for an answer from the cache.
pub fn ended(of: Operation, provider: Option<ProviderKind>, outcome: Outcome, usage: &TokenUsage, took: Duration) {
    let outcome = match outcome {
        Outcome::Completed => "completed",
        Outcome::ClientLeft => "client_left",
        Outcome::Failed => "failed",
    };
    CALLS.with_label_values(&[SERVICE, operation(of), outcome]).inc();
    let provider = provider.map_or("none", ProviderKind::as_str);
    DURATION.with_label_values(&[SERVICE, operation(of), provider]).observe(took.as_secs_f64());
    TOKENS.with_label_values(&[SERVICE, provider, "input"]).inc_by(usage.input);
    TOKENS.with_label_values(&[SERVICE, provider, "output"]).inc_by(usage.output);
}

/// Our own part of the time until the head of the answer.
pub fn own_time(of: Operation, overhead: Duration) {
    OVERHEAD.with_label_values(&[SERVICE, operation(of)]).observe(overhead.as_secs_f64());
}

/// The first piece of content of a stream came.
pub fn first_token(provider: ProviderKind, took: Duration) {
    FIRST_TOKEN.with_label_values(&[SERVICE, provider.as_str()]).observe(took.as_secs_f64());
}

/// An attempt ended: `answered`, or a [`Kind`](crate::clients::Kind).
pub fn attempted(provider: ProviderKind, result: &'static str) {
    ATTEMPTS.with_label_values(&[SERVICE, provider.as_str(), result]).inc();
}

/// A circuit opened or closed.
pub fn circuit_turned(provider: ProviderKind, open: bool) {
    CIRCUITS.with_label_values(&[SERVICE, provider.as_str()]).add(if open { 1 } else { -1 });
}

/// What the response cache did for a call that asked for it: `hit`, `miss`, `bypass`, `shared`.
pub fn cache(result: &'static str) {
    CACHE.with_label_values(&[SERVICE, result]).inc();
}

/// Tokens were counted here.
pub fn counted(took: Duration) {
    COUNTING.with_label_values(&[SERVICE]).observe(took.as_secs_f64());
}

/// Counts a stream as open until it is dropped.
#[derive(Debug)]
pub struct OpenStream(());

impl OpenStream {
    pub fn new() -> Self {
        STREAMS.with_label_values(&[SERVICE]).inc();
        Self(())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        STREAMS.with_label_values(&[SERVICE]).dec();
    }
}

/// Something was looked for in memory: `Ok(true)` when there was something.
pub fn recalled<E>(found: Result<bool, &E>, took: Duration) {
    let result = match found {
        Ok(true) => "found",
        Ok(false) => "nothing",
        Err(_) => "failed",
    };
    RECALLS.with_label_values(&[SERVICE, result]).observe(took.as_secs_f64());
}
