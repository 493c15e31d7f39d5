//! How often keys come, and how often auth is asked about them.

use std::sync::LazyLock;

use prometheus::IntCounterVec;

/// Requests with an API key, by what was known of it.
pub static LOOKUPS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    kit::metrics::counters(
        "brainops_gateway_api_key_lookups_total",
        "Requests with an API key, by what was known of it.",
        &["service", "result"],
    )
});

/// Keys that auth was asked about, by its answer.
pub static EXCHANGES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    kit::metrics::counters(
        "brainops_gateway_api_key_exchanges_total",
        "API keys that auth was asked about, by its answer.",
        &["service", "result"],
    )
});

/// Known and good: nobody was asked.
pub const HIT: &str = "hit";
/// Auth has to be asked.
pub const MISS: &str = "miss";
/// No key at all; nobody was asked.
pub const MALFORMED: &str = "malformed";
/// Exchanged.
pub const OK: &str = "ok";
/// Known as not good, or refused by auth.
pub const REFUSED: &str = "refused";
/// Auth did not answer.
pub const UNAVAILABLE: &str = "unavailable";

/// One more.
pub fn count(counters: &IntCounterVec, result: &str) {
    counters.with_label_values(&["gateway", result]).inc();
}
