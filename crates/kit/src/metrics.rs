//! Prometheus metrics of the process, in the default registry. Labels are bounded: route templates, codes, queue names;
//! never an id, a raw path or anything else that users choose. Every metric carries `service`, because several services
//! may share a process.

use std::sync::LazyLock;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, TextEncoder, core::Collector};

/// Seconds, from half a millisecond to ten seconds: requests, queries, deliveries.
pub const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static BUILD_INFO: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("brainops_build_info", "Always 1; says which version runs.", &["service", "version"]));

/// Shows in the metrics that `service` runs in this version.
pub(crate) fn announce(service: &str) {
    BUILD_INFO.with_label_values(&[service, env!("CARGO_PKG_VERSION")]).set(1);
}

/// Counters by `labels`, registered. Meant for a `LazyLock`: each name once in the process.
pub fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(name, IntCounterVec::new(Opts::new(name, help), labels))
}

/// Gauges by `labels`, registered.
pub fn gauges(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(name, IntGaugeVec::new(Opts::new(name, help), labels))
}

/// Histograms by `labels` over `buckets` (upper bounds, ascending; see [`SECONDS`]), registered.
pub fn histograms(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    registered(name, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
}

/// Everything the process measures, in the Prometheus text format (version 0.0.4).
pub fn render() -> String {
    TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap_or_else(|error| {
        tracing::error!(%error, "The metrics could not be written");
        String::new()
    })
}

#[expect(
    clippy::panic,
    reason = "a malformed or repeated name is a mistake in the source, met by the first test that runs it"
)]
fn registered<C: Collector + Clone + 'static>(name: &str, metric: prometheus::Result<C>) -> C {
    let registered = metric.and_then(|metric| prometheus::register(Box::new(metric.clone())).map(|()| metric));
    match registered {
        Ok(metric) => metric,
        Err(error) => panic!("metric {name}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let counted = counters("kit_test_total", "A test's.", &["service", "kind"]);
        counted.with_label_values(&["auth", "x"]).inc_by(3);
        histograms("kit_test_seconds", "A test's.", &["service"], SECONDS).with_label_values(&["auth"]).observe(0.002);
        announce("auth");
        let text = render();
        assert!(text.contains("kit_test_total{kind=\"x\",service=\"auth\"} 3"), "{text}");
        assert!(text.contains("kit_test_seconds_bucket{service=\"auth\",le=\"0.0025\"} 1"), "{text}");
        assert!(text.contains("brainops_build_info{service=\"auth\""), "{text}");
    }

    #[test]
    #[should_panic(expected = "metric kit_twice")]
    fn a_name_is_registered_once() {
        gauges("kit_twice", "A test's.", &["service"]);
        gauges("kit_twice", "A test's.", &["service"]);
    }
}
