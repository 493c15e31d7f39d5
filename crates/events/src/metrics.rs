//! The numbers of this crate.

use std::sync::LazyLock;

use kit::metrics::{counters, gauges, histograms};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

/// Seconds from a millisecond to five minutes: idle latency and the delays of retries both fall inside.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

pub(crate) static OUTBOX_OLDEST: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges("outbox_oldest_seconds", "Age of the oldest event that the broker has not confirmed.", &["service"])
});

pub(crate) static OUTBOX_PENDING: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("outbox_pending", "Events that the broker has not confirmed.", &["service"]));

pub(crate) static RELAY_PUBLISH: LazyLock<HistogramVec> = LazyLock::new(|| {
    histograms("relay_publish_seconds", "From claiming a batch of the outbox to its end.", &["service"], SECONDS)
});

pub(crate) static PUBLISHED: LazyLock<IntCounterVec> =
    LazyLock::new(|| counters("events_published_total", "Events that the broker confirmed.", &["service", "type"]));

pub(crate) static RETURNED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("events_returned_total", "Published events that no queue was bound for.", &["service", "type"])
});

pub(crate) static CONSUMED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Deliveries by what became of them: done, retried, dead, given_back.";
    counters("events_consumed_total", help, &["service", "queue", "type", "outcome"])
});

pub(crate) static EVENT_AGE: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "From the change to its first handling by a consumer.";
    histograms("event_age_seconds", help, &["service", "queue"], SECONDS)
});

pub(crate) static CONSUMER_LAG: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("consumer_lag", "Messages that wait in the consumer's queue.", &["service", "queue"]));

pub(crate) static DEAD_LETTERS: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("dead_letters", "Messages that the consumer gave up on.", &["service", "queue"]));

pub(crate) static PAUSED: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges("consumer_paused", "Handlers that hold a message while a dependency is down.", &["service", "queue"])
});

pub(crate) static SESSIONS_LOST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters("broker_sessions_lost_total", "Sessions with the broker that ended in an error.", &["service", "task"])
});
