//! What Prometheus sees of this service.

use std::sync::LazyLock;

use kit::metrics::{counters, gauges, histograms};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::vectors::Stats;

const SERVICE: &str = "memory";

static EMBEDDED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("memory_texts_embedded_total", "Texts that got their vector, or were refused.", &["service", "outcome"])
});
static DOCUMENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("memory_documents_total", "Documents that were read, or why they were not.", &["service", "outcome"])
});
static EXTRACTIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "memory_extractions_total",
        "Times that facts were to be taken from turns, and how it ended.",
        &["service", "outcome"],
    )
});
static FACTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "memory_facts_total",
        "Facts that a language model gave, and what became of them.",
        &["service", "outcome"],
    )
});
static MODEL_TOKENS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "memory_model_tokens_total",
        "Tokens that a language model was asked for, question included.",
        &["service"],
    )
});
static RERANKS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "memory_reranks_total",
        "Searches whose hits were to be reranked, and whether they were.",
        &["service", "outcome"],
    )
});
static POINTS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges("memory_vectors", "Vectors of all tenants, and how many of them a graph covers.", &["service", "state"])
});
static SEARCHES: LazyLock<HistogramVec> = LazyLock::new(|| {
    histograms(
        "memory_search_seconds",
        "Seconds that a search takes, with vectors or by words alone.",
        &["service", "mode"],
        &[0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0],
    )
});

pub fn embedded_texts(count: usize) {
    EMBEDDED.with_label_values(&[SERVICE, "embedded"]).inc_by(count as u64);
}

pub fn refused_texts(count: usize) {
    EMBEDDED.with_label_values(&[SERVICE, "refused"]).inc_by(count as u64);
}

/// `outcome` is `indexed` or the word of a failure.
pub fn document(outcome: &str) {
    DOCUMENTS.with_label_values(&[SERVICE, outcome]).inc();
}

/// `outcome` is `done`, `exhausted`, `unavailable`, or why nothing will come of some turns: `malformed`, `refused`, `failed`.
pub fn extraction(outcome: &str) {
    EXTRACTIONS.with_label_values(&[SERVICE, outcome]).inc();
}

/// `outcome` is `added`, `superseded` (another one, by one that was added), `known` or `not_believed`.
pub fn facts(outcome: &str, count: usize) {
    FACTS.with_label_values(&[SERVICE, outcome]).inc_by(count as u64);
}

pub fn model_tokens(count: i64) {
    MODEL_TOKENS.with_label_values(&[SERVICE]).inc_by(count.unsigned_abs());
}

/// `outcome` is `reranked` or `unavailable`.
pub fn rerank(outcome: &str) {
    RERANKS.with_label_values(&[SERVICE, outcome]).inc();
}

pub fn index_size(stats: Stats) {
    POINTS.with_label_values(&[SERVICE, "stored"]).set(i64::try_from(stats.points).unwrap_or(i64::MAX));
    POINTS.with_label_values(&[SERVICE, "in_graph"]).set(i64::try_from(stats.indexed).unwrap_or(i64::MAX));
}

/// How long a search took; `semantic` when vectors took part.
pub fn search(seconds: f64, semantic: bool) {
    SEARCHES.with_label_values(&[SERVICE, if semantic { "hybrid" } else { "words" }]).observe(seconds);
}
