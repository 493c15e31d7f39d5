//! What happens around every request, in one layer: request id, trace, limits, deadline, panics, metrics, security
//! headers, and the promise that every error leaves as a problem document, or in the [form](super::dialect) of its route.
//!
//! One layer because each one more would box the request's future once more, and because the parts share their facts.
use std::{panic::AssertUnwindSafe, sync::Arc};

use actix_http::ConnectionType;
use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
            STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span, field};

use super::{
    HttpOptions, Problem,
    body::{Bounds, bounded},
    codes,
    context::{REQUEST_ID, RequestIdText},
    dialect::{ErrorForm, error_form},
    framework,
    metrics::{self, InFlight},
};
use crate::{Lifecycle, Phase, telemetry};

/// Where Anthropic's client libraries look for the request's id.
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What the layer needs to know about its service.
pub(super) struct Edge {
    pub service: &'static str,
    pub options: HttpOptions,
    pub lifecycle: Lifecycle,
}

/// The facts of one request that outlive it: the request itself belongs to the handler (and must not be cloned before
/// routing, actix panics on it).
struct Facts {
    id: RequestIdText,
    path: String,
    method: &'static str,
    route: Option<String>,
    form: ErrorForm,
}

impl Facts {
    fn route(&self) -> &str {
        self.route.as_deref().unwrap_or(metrics::UNMATCHED)
    }
}

/// The layer; give it to `middleware::from_fn`.
pub(super) async fn edge<B: MessageBody + 'static>(
    edge: Arc<Edge>,
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let _in_flight = InFlight::enter(edge.service);
    let facts = Facts {
        id: RequestIdText::of(req.headers().get(&REQUEST_ID)),
        path: req.path().to_owned(),
        method: metrics::method_label(req.method()),
        route: req.match_pattern(),
        form: error_form(req.path(), req.headers()),
    };
    req.extensions_mut().insert(facts.id.clone());
    let span = span(&edge, &facts, &req);

    async {
        let outcome = edge.answer(&facts, req, next).await;
        let outcome = edge.finish(&facts, outcome);
        let status = match &outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let took = started.elapsed();
        metrics::answered(edge.service, facts.method, facts.route(), status.as_str(), took);
        let current = Span::current();
        current.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            current.record("otel.status_code", "ERROR");
        }
        tracing::info!(
            http.response.status_code = status.as_u16(),
            duration_ms = took.as_secs_f64() * 1000.0,
            "Request answered"
        );
        outcome
    }
    .instrument(span)
    .await
}

/// A server span as OpenTelemetry's HTTP conventions name it. The path itself is not in it: it may hold ids and tokens.
fn span(edge: &Edge, facts: &Facts, req: &ServiceRequest) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = format_args!("{} {}", facts.method, facts.route()),
        otel.kind = "server",
        otel.status_code = field::Empty,
        service = edge.service,
        request.id = facts.id.as_str(),
        http.request.method = facts.method,
        http.route = facts.route(),
        http.response.status_code = field::Empty,
    );
    // A header that is not one line of text, or that comes twice, starts a new trace (W3C Trace Context, section 3.2).
    let mut parents = req.headers().get_all("traceparent");
    if let (Some(parent), None) = (parents.next().and_then(|value| value.to_str().ok()), parents.next()) {
        telemetry::continue_trace(&span, parent);
    }
    span
}

impl Edge {
    /// Checks the limits and runs the handler within its deadline.
    async fn answer<B: MessageBody + 'static>(
        &self,
        facts: &Facts,
        mut req: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let route = facts.route.as_deref();
        let limit = self.options.body_limit(route);
        if let Err(problem) = self.check_head(&req, limit) {
            return Ok(req.error_response(problem));
        }
        let bounds = Bounds { limit, total: self.options.body_timeout(route), idle: self.options.body_idle_timeout };
        let handler_timeout = self.options.handler_timeout(route);
        let payload = req.take_payload();
        req.set_payload(bounded(payload, bounds));

        // actix drops the connection when a handler panics.
        let handler = AssertUnwindSafe(next.call(req)).catch_unwind();
        let outcome = match handler_timeout {
            Some(limit) => timeout(limit, handler).await,
            None => Ok(handler.await),
        };
        match outcome {
            Ok(Ok(answer)) => answer.map(ServiceResponse::map_into_boxed_body),
            Ok(Err(_panic)) => {
                // The panic hook has logged it, inside this request's span.
                metrics::panicked(self.service);
                Err(Problem::new(&codes::INTERNAL_ERROR).into())
            }
            Err(_elapsed) => Err(Problem::new(&codes::TIMEOUT).into()),
        }
    }

    fn check_head(&self, req: &ServiceRequest, body_limit: usize) -> Result<(), Problem> {
        let uri = req.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
        if uri > self.options.uri_limit {
            return Err(Problem::new(&codes::URI_TOO_LONG));
        }
        let headers: usize = req.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if headers > self.options.headers_limit {
            return Err(Problem::new(&codes::HEADERS_TOO_LARGE));
        }
        let announced = req.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|size| size > body_limit as u64) {
            return Err(framework::too_large(body_limit));
        }
        Ok(())
    }

    /// Gives every error its form and puts the common headers on every answer.
    fn finish(
        &self,
        facts: &Facts,
        outcome: Result<ServiceResponse<BoxBody>, Error>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        match outcome {
            Ok(response) => {
                let (request, mut response) = response.into_parts();
                if response.status().as_u16() >= 400 {
                    response = in_form(facts, response);
                }
                self.put_headers(facts, &mut response);
                Ok(ServiceResponse::new(request, response))
            }
            // There is no request any more to answer to, so the whole answer travels inside the error.
            Err(error) => {
                let mut response = in_form(facts, HttpResponse::from_error(error));
                self.put_headers(facts, &mut response);
                Err(InternalError::from_response("answered", response).into())
            }
        }
    }

    fn put_headers(&self, facts: &Facts, response: &mut HttpResponse<BoxBody>) {
        let status = response.status().as_u16();
        // After these the rest of the request may still be on its way and nobody reads it; while draining, clients
        // should come back to another replica.
        if matches!(status, 408 | 413) || self.lifecycle.phase() == Phase::Draining {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID.clone(), facts.id.header());
        if facts.form == ErrorForm::Anthropic {
            headers.insert(ANTHROPIC_REQUEST_ID, facts.id.header());
        }
        let mut default = |name: HeaderName, value: &'static str| {
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        };
        default(X_CONTENT_TYPE_OPTIONS, "nosniff");
        default(REFERRER_POLICY, "no-referrer");
        default(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
        // An answer for one caller must not be found by the next; what is public says so itself.
        default(CACHE_CONTROL, "no-store");
        if self.options.https {
            default(STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
        }
    }
}

/// Binds a problem to its request, and makes one of the framework's plain error answers; writes it in the form of the
/// route. What has a content type of its own already (a proxied answer, a service's own form) passes. Logs what the
/// operator must see, once.
fn in_form(facts: &Facts, mut response: HttpResponse<BoxBody>) -> HttpResponse<BoxBody> {
    let (id, path) = (facts.id.as_str(), facts.path.as_str());
    let known = response.error().and_then(|error| error.as_error::<Problem>());
    let body = match (known, response.error()) {
        (Some(problem), _) => {
            log(problem);
            problem.body(id, path)
        }
        (None, error) if is_plain(response.headers()) => {
            let status = response.status().as_u16();
            if let Some(problem) = error.and_then(framework::problem) {
                problem.body(id, path)
            } else {
                let mut problem = Problem::new(codes::for_status(status));
                if let Some(error) = error {
                    problem = problem.caused_by(error.to_string());
                }
                log(&problem);
                problem.body(id, path).with_status(status)
            }
        }
        (None, _) => return response,
    };
    if let Ok(status) = StatusCode::from_u16(body.status) {
        *response.status_mut() = status;
    }
    let mut response = response.map_body(|_, _| BoxBody::new(facts.form.render(&body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(facts.form.content_type()));
    response
}

fn log(problem: &Problem) {
    let chain = problem.chain();
    if problem.code().status >= 500 && !chain.is_empty() {
        tracing::error!(error.code = problem.code().code, error.chain = chain, "Request failed");
    }
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, io, sync::Mutex};

    use actix_web::{App, body::to_bytes, middleware::from_fn, test, web};
    use tracing_subscriber::{
        Layer,
        layer::{self, SubscriberExt},
    };

    use super::*;
    use crate::ErrorCode;

    static BUSY: ErrorCode = ErrorCode::new("store_busy", 503, "The store is busy");

    async fn busy() -> Result<HttpResponse, Problem> {
        Err(Problem::new(&BUSY).caused_by(io::Error::other("pool exhausted")))
    }

    async fn refused() -> Result<HttpResponse, Problem> {
        Err(Problem::new(&codes::FORBIDDEN).caused_by("not a member"))
    }

    async fn failing() -> Result<HttpResponse, Error> {
        Err(actix_web::error::ErrorInternalServerError("the disk is full"))
    }

    /// Keeps what is logged as an error.
    #[derive(Clone, Default)]
    struct Errors(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Errors {
        fn on_event(&self, event: &tracing::Event<'_>, _: layer::Context<'_, S>) {
            struct Line(String);
            impl field::Visit for Line {
                fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
                    let _ = write!(self.0, "{field}={value:?} ");
                }
            }
            if *event.metadata().level() == tracing::Level::ERROR {
                let mut line = Line(String::new());
                event.record(&mut line);
                self.0.lock().unwrap().push(line.0);
            }
        }
    }

    /// Status, body, whether the connection closes, and what was logged as an error.
    async fn ask(path: &str, phase: Phase) -> (u16, String, bool, Vec<String>) {
        let errors = Errors::default();
        let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(errors.clone()));
        let lifecycle = Lifecycle::default();
        lifecycle.enter(phase);
        let layer = Arc::new(Edge { service: "edge-test", options: HttpOptions::default(), lifecycle });
        let app = App::new()
            .service(web::resource("/busy").to(busy))
            .service(web::resource("/refused").to(refused))
            .service(web::resource("/failing").to(failing))
            .wrap(from_fn(move |req, next| edge(Arc::clone(&layer), req, next)));
        let app = test::init_service(app).await;
        let answer = test::call_service(&app, test::TestRequest::with_uri(path).to_request()).await;
        let status = answer.status().as_u16();
        let closes = answer.response().head().connection_type() == ConnectionType::Close;
        let body = to_bytes(answer.into_body()).await.unwrap();
        let logged = errors.0.lock().unwrap().clone();
        (status, String::from_utf8(body.to_vec()).unwrap(), closes, logged)
    }

    #[actix_web::test]
    async fn the_cause_of_a_5xx_is_logged_once_and_never_shown() {
        for (path, status, cause) in [("/busy", 503, "pool exhausted"), ("/failing", 500, "the disk is full")] {
            let (seen, body, _, logged) = ask(path, Phase::Ready).await;
            assert_eq!(seen, status);
            assert!(!body.contains(cause), "{body}");
            assert_eq!(logged.iter().filter(|line| line.contains(cause)).count(), 1, "{logged:?}");
        }
    }

    #[actix_web::test]
    async fn what_is_the_clients_matter_is_no_error_in_the_log() {
        let (status, _, _, logged) = ask("/refused", Phase::Ready).await;
        assert_eq!((status, logged), (403, Vec::new()));
    }

    #[actix_web::test]
    async fn while_draining_every_answer_closes_its_connection() {
        assert!(!ask("/refused", Phase::Ready).await.2);
        assert!(ask("/refused", Phase::Draining).await.2);
    }
}
