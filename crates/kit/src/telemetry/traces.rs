//! OpenTelemetry spans and W3C trace context (<https://www.w3.org/TR/trace-context/>).

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Environment, TelemetrySettings};

/// A provider that exports when an endpoint is set. Without one it still gives ids, and follows the caller's decision
/// on sampling so that the flag travels on unchanged.
pub(super) fn provider(
    settings: &TelemetrySettings,
    name: &'static str,
    environment: Environment,
) -> SdkTracerProvider {
    let resource = Resource::builder()
        .with_service_name(name)
        .with_attributes([
            KeyValue::new("service.namespace", "brainops"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("deployment.environment.name", environment.as_str()),
        ])
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &settings.otlp_endpoint else {
        return builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))).build();
    };
    let root = Sampler::TraceIdRatioBased(settings.trace_ratio);
    let builder = builder.with_sampler(Sampler::ParentBased(Box::new(root)));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime::new(endpoint))
        .with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
        .with_timeout(Duration::from_secs(10))
        .build();
    match exporter {
        Ok(exporter) => builder.with_batch_exporter(exporter).build(),
        Err(error) => {
            // Tracing is not up yet, and a service does not stay down for want of traces.
            #[expect(clippy::print_stderr, reason = "nothing else is there to carry the message yet")]
            {
                eprintln!("Traces will not be exported: {error}");
            }
            builder.build()
        }
    }
}

pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    // Source lines, thread ids and idle times cost bytes on every span and answer nothing that logs do not.
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("brainops"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
}

/// The `traceparent` of the current span, to be sent along with what it causes. `None` outside any span.
pub fn traceparent() -> Option<String> {
    let context = current()?;
    let flags = context.trace_flags().to_u8() & 1;
    Some(format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()))
}

/// The trace id of the current span: 32 lower-case hex digits. `None` outside any span.
pub fn trace_id() -> Option<String> {
    current().map(|context| context.trace_id().to_string())
}

/// Makes `span` a child of the span that `traceparent` names, which lives in another process or an earlier time.
/// Must come before anything is logged inside `span`. Answers false, and changes nothing, when the header is not valid.
pub fn continue_trace(span: &Span, traceparent: &str) -> bool {
    remote(traceparent).is_some_and(|parent| span.set_parent(Context::new().with_remote_span_context(parent)).is_ok())
}

/// Links `span` to the span that `traceparent` names without becoming its child: for work that others caused long ago or
/// that many caused together. Answers false when the header is not valid.
pub fn link_trace(span: &Span, traceparent: &str) -> bool {
    remote(traceparent).is_some_and(|cause| {
        span.add_link(cause);
        true
    })
}

fn current() -> Option<SpanContext> {
    let context = Span::current().context();
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

fn remote(traceparent: &str) -> Option<SpanContext> {
    // The propagator does not count digits; later versions may add fields after these four.
    let mut fields = traceparent.split('-').map(str::len);
    if ![2, 32, 16, 2].into_iter().all(|len| fields.next() == Some(len)) {
        return None;
    }
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // From an empty context: what is current here must not stand in for a header that does not parse.
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

/// The exporter works on a thread of its own, outside tokio; its requests are made on the runtime.
#[derive(Clone)]
struct OnRuntime {
    runtime: tokio::runtime::Handle,
    client: reqwest::Client,
}

impl OnRuntime {
    fn new(endpoint: &url::Url) -> Self {
        Self { runtime: tokio::runtime::Handle::current(), client: crate::outbound::plain_client_of(endpoint) }
    }
}

impl fmt::Debug for OnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRuntime").finish_non_exhaustive()
    }
}

impl HttpClient for OnRuntime {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        let client = self.client.clone();
        // Not by `tasks::spawn`: this is called from a thread outside the runtime.
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                *headers = answer.headers().clone();
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        });
        Box::pin(async move { sent.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::prelude::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn silent() -> TelemetrySettings {
        TelemetrySettings { log: "info".into(), otlp_endpoint: None, trace_ratio: 1.0, sentry_dsn: None }
    }

    fn with_tracing(test: impl FnOnce()) {
        let provider = provider(&silent(), "test", Environment::Development);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer(&provider)), test);
    }

    #[test]
    fn spans_have_ids_without_an_exporter() {
        with_tracing(|| {
            assert_eq!(traceparent(), None);
            let span = tracing::info_span!("request");
            let _in = span.enter();
            let header = traceparent().unwrap();
            assert_eq!(header.len(), 55);
            assert!(header.starts_with(&format!("00-{}-", trace_id().unwrap())));
            assert!(header.ends_with("-00"), "nothing is recorded, so nobody else needs to: {header}");
        });
    }

    #[test]
    fn a_trace_goes_on_with_its_sampling_decision() {
        with_tracing(|| {
            let span = tracing::info_span!("request");
            assert!(continue_trace(&span, PARENT));
            let _in = span.enter();
            assert_eq!(trace_id().unwrap(), "0af7651916cd43dd8448eb211c80319c");
            let header = traceparent().unwrap();
            assert!(header.ends_with("-01"));
            assert!(!header.contains("b7ad6b7169203331"), "the span has an id of its own: {header}");
        });
    }

    #[test]
    fn a_malformed_header_starts_a_new_trace() {
        with_tracing(|| {
            for bad in ["", "x", "00-0-0-00", &PARENT[..54], "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]
            {
                let span = tracing::info_span!("request");
                assert!(!continue_trace(&span, bad), "{bad:?}");
                let _in = span.enter();
                assert!(trace_id().is_some_and(|id| !PARENT.contains(&id)));
            }
            let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
            assert!(!link_trace(&tracing::info_span!("consume"), zero));
        });
    }
}
