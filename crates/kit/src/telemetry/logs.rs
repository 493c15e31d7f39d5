//! Log lines: a sentence and dotted fields, with the fields of the surrounding spans and the trace id.
//!
//! Values come from outside, so a line can never be split or coloured by one: JSON escapes control characters by its
//! nature, the human form escapes them here.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::dispatcher::WeakDispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line, for a log aggregator.
    Json,
}

/// Writes every event as one line to what `out` gives.
pub(super) struct LogLayer<W> {
    style: Style,
    out: W,
    dispatch: OnceLock<WeakDispatch>,
}

impl<W> LogLayer<W> {
    pub(super) fn new(style: Style, out: W) -> Self {
        Self { style, out, dispatch: OnceLock::new() }
    }
}

/// The fields of a span, kept with it.
struct SpanFields(Fields);

impl<S, W, O> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Fn() -> O + 'static,
    O: std::io::Write,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let mut target = event.metadata().target().to_owned();
        if target == "log"
            && let Some(Value::String(real)) = own.take("log.target")
        {
            // A line of the `log` crate, as r2d2 and others write them: its origin comes in fields.
            target = real;
            own.0.retain(|name, _| !name.starts_with("log."));
        }
        let message = own.take("message").map(text).unwrap_or_default();

        let mut fields = Fields::default();
        let mut trace = None;
        if let Some(span) = context.event_span(event) {
            for span in span.scope().from_root() {
                if let Some(SpanFields(outer)) = span.extensions().get() {
                    fields.0.extend(outer.0.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
            }
            trace = self.trace_of(&span.id());
        }
        fields.0.extend(own.0);

        let line =
            Line { level: *event.metadata().level(), target: &target, message: &message, trace, fields: &fields.0 };
        let line = match self.style {
            Style::Json => line.json(),
            Style::Human => line.human(),
        };
        // A log that cannot be written has nowhere to complain.
        let _ = (self.out)().write_all(line.as_bytes());
    }
}

impl<W> LogLayer<W> {
    /// The trace and span id, which the OpenTelemetry layer keeps.
    fn trace_of(&self, span: &Id) -> Option<(String, String)> {
        let dispatch = self.dispatch.get()?.upgrade()?;
        let context = tracing_opentelemetry::get_otel_context(span, &dispatch)?;
        let context = context.span().span_context().clone();
        context.is_valid().then(|| (context.trace_id().to_string(), context.span_id().to_string()))
    }
}

struct Line<'a> {
    level: Level,
    target: &'a str,
    message: &'a str,
    trace: Option<(String, String)>,
    fields: &'a Map<String, Value>,
}

impl Line<'_> {
    fn json(&self) -> String {
        let mut line = Map::new();
        // The fields first: what a value is called cannot displace what the line says of itself.
        line.extend(self.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        line.insert("timestamp".into(), now().into());
        line.insert("level".into(), self.level.as_str().into());
        line.insert("target".into(), self.target.into());
        line.insert("message".into(), self.message.into());
        if let Some((trace, span)) = &self.trace {
            line.insert("trace_id".into(), trace.as_str().into());
            line.insert("span_id".into(), span.as_str().into());
        }
        let mut line = Value::Object(line).to_string();
        line.push('\n');
        line
    }

    fn human(&self) -> String {
        let colour = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            _ => "2",
        };
        let mut line = format!("\x1b[2m{}\x1b[0m \x1b[{colour}m{:>5}\x1b[0m ", now(), self.level.as_str());
        escape(&mut line, self.message);
        for (name, value) in self.fields {
            let _ = write!(line, " \x1b[2m{name}=\x1b[0m");
            match value {
                Value::String(value) => escape(&mut line, value),
                other => escape(&mut line, &other.to_string()),
            }
        }
        if let Some((trace, _)) = &self.trace {
            let _ = write!(line, " \x1b[2mtrace_id={trace}\x1b[0m");
        }
        line.push('\n');
        line
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells the machine's time, also in a test that stops the clock"
)]
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Writes `value` with every control character spelled out, the Unicode line separators included.
fn escape(line: &mut String, value: &str) {
    for c in value.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// Collects fields as JSON values under their own names. `otel.*` steers the tracing layer and is left out.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        if !field.name().starts_with("otel.") {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let mut chain = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(chain, ": {error}");
            cause = error.source();
        }
        self.put(field, chain);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::prelude::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(style: Style, test: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let out = buffer.clone();
        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry()
            .with(super::super::traces::layer(&provider))
            .with(LogLayer::new(style, move || out.clone()));
        tracing::subscriber::with_default(subscriber, test);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_carries_span_fields_and_the_trace() {
        let mut expected = None;
        let lines = written(Style::Json, || {
            let span = tracing::info_span!("request", http.route = "/v1/things", user.id = tracing::field::Empty);
            let _in = span.enter();
            span.record("user.id", "u1");
            expected = super::super::trace_id();
            tracing::info!(duration_ms = 3, level = "forged", "A request was answered");
        });
        let line: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["message"], "A request was answered");
        assert_eq!(line["http.route"], "/v1/things");
        assert_eq!(line["user.id"], "u1");
        assert_eq!(line["duration_ms"], 3);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["trace_id"].as_str(), expected.as_deref());
        assert!(expected.is_some());
    }

    #[test]
    fn a_value_cannot_make_a_line() {
        let evil = "x\r\n2026-01-01 INFO admin logged in\u{1b}[2J\u{2028}\0\u{85}";
        for style in [Style::Human, Style::Json] {
            let lines = written(style, || tracing::warn!(user.agent = evil, "Said {evil}"));
            assert_eq!(lines.matches('\n').count(), 1, "{lines:?}");
            assert!(lines.ends_with('\n') && !lines.contains('\r') && !lines.contains('\0'), "{lines:?}");
            assert!(!lines.contains("\u{1b}[2J"), "{lines:?}");
        }
    }

    #[test]
    fn an_error_is_written_with_its_causes() {
        let lines = written(Style::Json, || {
            let cause = std::io::Error::other("disk full");
            let error = std::io::Error::other(anyhow::Error::new(cause).context("could not store"));
            tracing::error!(error = &error as &dyn std::error::Error, "A request failed");
        });
        let line: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["error"], "could not store: disk full");
    }
}
