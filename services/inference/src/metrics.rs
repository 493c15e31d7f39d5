//! What is counted about the models. `model` is the served name, so its values are those of the configuration.

use std::{sync::LazyLock, time::Duration};

use kit::{Service as _, metrics};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::{Inference, domain::generation::FinishReason};

static TOKENS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counters("inference_tokens_total", "Tokens read and written.", &["service", "model", "kind"])
});

static COMPLETIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counters(
        "inference_completions_total",
        "Completions, by how they ended.",
        &["service", "model", "outcome"],
    )
});

static WAITING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauges("inference_queue_depth", "Requests (texts, for embeddings) that wait.", &["service", "model"])
});

static ACTIVE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauges("inference_active_sequences", "Completions that are being computed.", &["service", "model"])
});

/// A prompt of some thousand tokens takes seconds on a small machine.
const UNTIL_FIRST: &[f64] = &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

static FIRST_TOKEN: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds from the request to the first token, waiting included.";
    metrics::histograms("inference_time_to_first_token_seconds", help, &["service", "model"], UNTIL_FIRST)
});

static CACHE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Texts to embed, by whether their vector was remembered.";
    metrics::counters("inference_embedding_cache_total", help, &["service", "model", "outcome"])
});

const SERVICE: &str = Inference::NAME;

/// What a token was for.
#[derive(Clone, Copy)]
pub enum TokenKind {
    Prompt,
    Completion,
    Embedding,
}

pub fn tokens(model: &str, kind: TokenKind, count: u64) {
    let kind = match kind {
        TokenKind::Prompt => "prompt",
        TokenKind::Completion => "completion",
        TokenKind::Embedding => "embedding",
    };
    TOKENS.with_label_values(&[SERVICE, model, kind]).inc_by(count);
}

/// `None` when the client left.
pub fn completed(model: &str, reason: Option<FinishReason>) {
    let outcome = reason.map_or("abandoned", FinishReason::as_str);
    COMPLETIONS.with_label_values(&[SERVICE, model, outcome]).inc();
}

pub fn failed(model: &str) {
    COMPLETIONS.with_label_values(&[SERVICE, model, "failed"]).inc();
}

pub fn refused(model: &str) {
    COMPLETIONS.with_label_values(&[SERVICE, model, "refused"]).inc();
}

pub fn waiting(model: &str, depth: usize) {
    WAITING.with_label_values(&[SERVICE, model]).set(depth.try_into().unwrap_or(i64::MAX));
}

pub fn active(model: &str, sequences: usize) {
    ACTIVE.with_label_values(&[SERVICE, model]).set(sequences.try_into().unwrap_or(i64::MAX));
}

pub fn first_token(model: &str, after: Duration) {
    FIRST_TOKEN.with_label_values(&[SERVICE, model]).observe(after.as_secs_f64());
}

pub fn cached(model: &str, hits: usize, misses: usize) {
    for (outcome, count) in [("hit", hits), ("miss", misses)] {
        CACHE.with_label_values(&[SERVICE, model, outcome]).inc_by(count as u64);
    }
}
