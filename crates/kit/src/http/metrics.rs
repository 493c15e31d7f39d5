//! What is counted about requests. Labels are bounded: route templates instead of paths, known methods only.
use std::{sync::LazyLock, time::Duration};

use actix_web::http::Method;
use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use crate::metrics::{SECONDS, counters, gauges, histograms};

static REQUESTS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counters("http_requests_total", "Requests answered.", &["service", "method", "route", "status"]));

static DURATION: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Seconds from the head of the request to the head of the answer.";
    histograms("http_request_duration_seconds", help, &["service", "method", "route"], SECONDS)
});

static IN_FLIGHT: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("http_requests_in_flight", "Requests whose answer has not begun.", &["service"]));

static PANICS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counters("http_handler_panics_total", "Handlers that panicked.", &["service"]));

/// The route label of a path that no route has.
pub(super) const UNMATCHED: &str = "unmatched";

/// A method as label: clients may invent methods, labels may not.
pub(super) fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// Counts a request as in flight until it is dropped, also when the client leaves and the request is cancelled.
pub(super) struct InFlight(IntGauge);

impl InFlight {
    pub fn enter(service: &str) -> Self {
        let gauge = IN_FLIGHT.with_label_values(&[service]);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

pub(super) fn answered(service: &str, method: &str, route: &str, status: &str, took: Duration) {
    REQUESTS.with_label_values(&[service, method, route, status]).inc();
    DURATION.with_label_values(&[service, method, route]).observe(took.as_secs_f64());
}

pub(super) fn panicked(service: &str) {
    PANICS.with_label_values(&[service]).inc();
}
