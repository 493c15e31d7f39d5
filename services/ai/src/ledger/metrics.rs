//! What operators see of usage and quotas. Labels are words of the source (operations, outcomes), never a model's alias,
//! an organization or a person.

use std::{sync::LazyLock, time::Duration};

use kit::{
    Service as _,
    metrics::{SECONDS, counters, gauges, histograms},
};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::{Ai, domain::usage::UsageRecord};

static COST: LazyLock<IntCounterVec> =
    LazyLock::new(|| counters("ai_cost_nano_usd_total", "Cost of calls in nano-USD.", &["service", "operation"]));
static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Calls refused by a quota (by metric), or because the quotas could not be read (unavailable).";
    counters("ai_quota_refusals_total", help, &["service", "reason"])
});
static QUEUED: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("ai_usage_queued", "Settled calls that wait in memory to be written.", &["service"]));
static SPOOLED: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges("ai_usage_spool_bytes", "Settled calls that wait on disk because the database is away.", &["service"])
});
static WRITTEN: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "ai_usage_written_total",
        "Settled calls by what became of the attempt to write them.",
        &["service", "outcome"],
    )
});
static WRITES: LazyLock<HistogramVec> =
    LazyLock::new(|| histograms("ai_usage_write_seconds", "A transaction of usage.", &["service"], SECONDS));

/// Makes the metrics that alerts look at appear with zeros.
pub fn announce() {
    QUEUED.with_label_values(&[Ai::NAME]).set(0);
    SPOOLED.with_label_values(&[Ai::NAME]).set(0);
    for outcome in ["written", "failed", "rejected", "lost"] {
        WRITTEN.with_label_values(&[Ai::NAME, outcome]).inc_by(0);
    }
}

/// A call has settled.
pub fn settled(record: &UsageRecord) {
    let cost = u64::try_from(record.cost.0).unwrap_or_default();
    COST.with_label_values(&[Ai::NAME, record.operation.as_str()]).inc_by(cost);
}

/// A call was refused: by a quota of a metric, or as `unavailable`.
pub fn refused(reason: &str) {
    REFUSED.with_label_values(&[Ai::NAME, reason]).inc();
}

/// So many calls wait in memory.
pub fn queued(calls: usize) {
    QUEUED.with_label_values(&[Ai::NAME]).set(i64::try_from(calls).unwrap_or(i64::MAX));
}

/// So many bytes wait on disk.
pub fn spooled(bytes: u64) {
    SPOOLED.with_label_values(&[Ai::NAME]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
}

/// A transaction of so many calls ended.
pub fn wrote(calls: usize, duration: Duration, fine: bool) {
    let outcome = if fine { "written" } else { "failed" };
    WRITTEN.with_label_values(&[Ai::NAME, outcome]).inc_by(calls as u64);
    WRITES.with_label_values(&[Ai::NAME]).observe(duration.as_secs_f64());
}

/// The database refuses a call for what it is.
pub fn rejected() {
    WRITTEN.with_label_values(&[Ai::NAME, "rejected"]).inc();
}

/// Calls could be kept nowhere.
pub fn lost(calls: usize) {
    WRITTEN.with_label_values(&[Ai::NAME, "lost"]).inc_by(calls as u64);
}
