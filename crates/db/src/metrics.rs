//! What operators see of the pool and of transactions. All carry the label `service`.

use std::sync::LazyLock;

use kit::metrics::{counters, gauges, histograms};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// Seconds, from a tenth of a millisecond (a free connection) to the longest wait.
const WAITS: &[f64] = &[0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0];

static SIZE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges("db_pool_size", "Connections that the pool may open: its number of transactions at a time.", &["service"])
});
static IN_USE: LazyLock<IntGaugeVec> = LazyLock::new(|| gauges("db_pool_in_use", "Connections in use.", &["service"]));
static WAIT: LazyLock<HistogramVec> = LazyLock::new(|| {
    histograms("db_pool_wait_seconds", "Wait for a connection before a transaction.", &["service"], WAITS)
});
static BUSY: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("db_pool_busy_total", "Transactions refused because no connection became free in time.", &["service"])
});
static TRANSACTIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("db_transactions_total", "Transactions by scope and the way they ended.", &["service", "scope", "outcome"])
});
static SYSTEM: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("db_system_transactions_total", "Transactions across all tenants, by purpose.", &["service", "purpose"])
});
static SWEPT: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("db_swept_rows_total", "Rows removed because their time was over.", &["service", "table"])
});

/// One pool's metrics.
pub(crate) struct Metrics {
    service: &'static str,
    pub in_use: IntGauge,
    pub wait: Histogram,
    pub busy: IntCounter,
}

impl Metrics {
    pub fn new(service: &'static str, size: usize) -> Self {
        let label = &[service];
        SIZE.with_label_values(label).set(i64::try_from(size).unwrap_or(i64::MAX));
        Self {
            service,
            in_use: IN_USE.with_label_values(label),
            wait: WAIT.with_label_values(label),
            busy: BUSY.with_label_values(label),
        }
    }

    pub fn ended(&self, scope: &str, outcome: &str) {
        TRANSACTIONS.with_label_values(&[self.service, scope, outcome]).inc();
    }

    pub fn system(&self, purpose: &str) {
        SYSTEM.with_label_values(&[self.service, purpose]).inc();
    }

    pub fn swept(&self, table: &str, rows: usize) {
        SWEPT.with_label_values(&[self.service, table]).inc_by(rows as u64);
    }
}
