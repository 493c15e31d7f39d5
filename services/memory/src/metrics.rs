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

pub fn index_size(stats: Stats) {
    POINTS.with_label_values(&[SERVICE, "stored"]).set(i64::try_from(stats.points).unwrap_or(i64::MAX));
    POINTS.with_label_values(&[SERVICE, "in_graph"]).set(i64::try_from(stats.indexed).unwrap_or(i64::MAX));
}

/// How long a search took; `semantic` when vectors took part.
pub fn search(seconds: f64, semantic: bool) {
    SEARCHES.with_label_values(&[SERVICE, if semantic { "hybrid" } else { "words" }]).observe(seconds);
}
