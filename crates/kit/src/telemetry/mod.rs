//! Logs, traces and error reports, the same for every service.
//!
//! - Logs go to standard error: readable on a terminal, one JSON object a line otherwise, with the trace id and the
//!   fields of the surrounding spans.
//! - Every span has W3C trace ids, also when nothing is exported, so that logs, problem documents and events of one
//!   request can be found by one id. With `OTEL_EXPORTER_OTLP_ENDPOINT` the spans leave over OTLP (HTTP).
//! - With `SENTRY_DSN`, error lines and panics are reported, scrubbed of anything personal.

mod logs;
mod report;
mod traces;

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Environment, TelemetrySettings};
pub use logs::Style;
pub use traces::{continue_trace, link_trace, trace_id, traceparent};

/// Target of a span that only lends its fields to log lines and is no part of a trace: long-lived work, whose span would
/// otherwise be the parent of everything the process ever does.
pub const SCOPE: &str = "kit::scope";

/// Target of the panic hook's lines; Sentry gets panics with their stack from its own hook.
const PANIC: &str = "kit::panic";

static PROVIDER: OnceLock<Option<SdkTracerProvider>> = OnceLock::new();

/// Sets telemetry up for this process. The first call decides; later ones do nothing, so that several services can start
/// in one process. Must be called on the tokio runtime that lives as long as the process.
///
/// `name` is the `service.name` of traces and reports.
pub fn init(settings: &TelemetrySettings, name: &'static str, environment: Environment) {
    PROVIDER.get_or_init(|| {
        let provider = traces::provider(settings, name, environment);
        let reports = settings.sentry_dsn.as_ref().is_some_and(|dsn| report::init(dsn, name, environment));
        let style = if std::io::stderr().is_terminal() { Style::Human } else { Style::Json };

        // The settings were checked when they were read. Spans are kept whatever the level of the lines is: a warning
        // without the request it belongs to is half a warning.
        let lines = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
        let context = filter_fn(|meta| meta.is_span() && *meta.level() <= tracing::Level::INFO);
        let traced = filter_fn(|meta| *meta.level() <= tracing::Level::INFO && meta.target() != SCOPE);
        let reported =
            filter_fn(|meta| *meta.level() == tracing::Level::ERROR && meta.is_event() && meta.target() != PANIC);

        let installed = tracing_subscriber::registry()
            .with(filter_fn(|meta| !tells_payloads(meta)))
            .with(traces::layer(&provider).with_filter(traced))
            .with(logs::LogLayer::new(style, std::io::stderr).with_filter(lines.or(context)))
            .with(reports.then(|| sentry::integrations::tracing::ErrorLayer::new().with_filter(reported)))
            .try_init();
        // Someone else's subscriber is in place (a test's); then ids come from there or not at all.
        installed.is_ok().then_some(provider)
    });
}

/// Whether a line of a dependency would tell what people have sent or a password. Such a line is never written, nor
/// exported with a trace, whatever `BRAINOPS_LOG` asks for: lapin warns of a returned message with its whole body (an event
/// that nobody has bound yet is an everyday thing), and its TRACE lines show every frame, that of its login included. rmcp
/// shows what tools are asked and what they answer, on all levels but the first.
fn tells_payloads(meta: &tracing::Metadata<'_>) -> bool {
    let level = *meta.level();
    match meta.target().split("::").next() {
        Some("lapin") => meta.target() == "lapin::returned_messages" || level == tracing::Level::TRACE,
        Some("rmcp") => meta.is_event() && level != tracing::Level::ERROR,
        _ => false,
    }
}

/// Whether log lines are written. Before that, whoever has something to say says it on standard error.
pub(crate) fn is_up() -> bool {
    PROVIDER.get().is_some()
}

/// Sends what has not left yet. Called once, when the process ends, from outside the runtime.
pub fn flush() {
    if let Some(Some(provider)) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(5))
    {
        tracing::warn!(%error, "The last traces could not be sent");
    }
    report::flush(Duration::from_secs(2));
}

/// Logs a panic as one line instead of the default's many. For processes, not for tests.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("(a panic without a message)");
        tracing::error!(target: PANIC, { panic.location = at, panic.message = message }, "The code panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// The targets of the events that arrive behind the global filter.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Seen {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.lock().unwrap().push(format!("{} {}", event.metadata().target(), event.metadata().level()));
        }
    }

    #[test]
    fn no_line_tells_a_message_whatever_the_filter_asks_for() {
        for filter in ["trace", "lapin::returned_messages=trace", "lapin=trace,[request]=trace"] {
            let seen = Seen::default();
            let subscriber = tracing_subscriber::registry()
                .with(filter_fn(|meta| !tells_payloads(meta)))
                .with(seen.clone().with_filter(EnvFilter::new(filter)));
            tracing::subscriber::with_default(subscriber, || {
                let _in = tracing::info_span!("request").entered();
                tracing::warn!(target: "lapin::returned_messages", body = "ada@example.org", "Returned");
                tracing::error!(target: "lapin::returned_messages", body = "ada@example.org", "Returned");
                tracing::trace!(target: "lapin::channels", frame = "\0brainops\0password", "Will handle frame");
                tracing::warn!(target: "lapin::io_loop", "The socket broke");
                tracing::warn!(target: "rmcp::service", error = "my salary", "response error");
                tracing::debug!(target: "rmcp::service", result = "my salary", "response message");
                tracing::trace!(target: "lapin_of_ours", "Not a line of lapin");
            });
            let seen = seen.0.lock().unwrap();
            assert!(
                !seen.iter().any(|line| ["returned", "channels", "rmcp"].iter().any(|word| line.contains(word))),
                "{filter}: {seen:?}"
            );
            let others = ["lapin::io_loop WARN", "lapin_of_ours TRACE"];
            assert!(filter != "trace" || *seen == others, "{filter}: {seen:?}");
        }
    }
}
