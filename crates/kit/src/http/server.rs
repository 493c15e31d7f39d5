//! The two HTTP servers of a service: the public one with its routes, the private one for operators.
use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::Server,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    middleware::from_fn,
    web,
};

use super::{
    HttpOptions, Problem, codes,
    edge::{self, Edge},
    health::Health,
};
use crate::{Core, HealthCheck, Lifecycle, Routes, auth::Verifier, metrics};

/// What the servers of one service are made of.
pub struct ServerParts {
    /// Name, environment and lifecycle.
    pub core: Core,
    /// Takes the callers' connections.
    pub listener: TcpListener,
    /// Takes the operators' connections.
    pub private_listener: TcpListener,
    /// Worker threads of the public server.
    pub workers: usize,
    /// How long running requests may take to finish when the server stops.
    pub drain: Duration,
    /// The routes and their state.
    pub routes: Routes,
    /// For the extractors of [`crate::auth`].
    pub verifier: Option<Arc<Verifier>>,
    /// What `/readyz` asks.
    pub checks: Vec<Arc<dyn HealthCheck>>,
    /// Limits.
    pub options: HttpOptions,
    /// The service's description.
    pub openapi: utoipa::openapi::OpenApi,
}

/// Two servers that take connections as soon as they are awaited.
pub struct Servers {
    /// The service's own routes.
    pub public: Server,
    /// Health, metrics, the description.
    pub private: Server,
}

/// Makes both servers on their listeners.
pub fn serve(parts: ServerParts) -> io::Result<Servers> {
    let ServerParts { core, listener, private_listener, workers, drain, routes, verifier, checks, options, openapi } =
        parts;
    let document = openapi.to_json().map_err(io::Error::other)?;
    let private = private(private_listener, checks, core.lifecycle.clone(), document)?;
    let edge = Arc::new(Edge { service: core.service, options: options.clone(), lifecycle: core.lifecycle });
    let limits = web::Data::new(options.clone());
    let app = move || {
        let edge = Arc::clone(&edge);
        App::new()
            .app_data(limits.clone())
            .configure(|config| {
                if let Some(verifier) = &verifier {
                    config.app_data(web::Data::from(Arc::clone(verifier)));
                }
                routes(config);
            })
            .default_service(web::to(not_found))
            .wrap(from_fn(move |req, next| edge::edge(Arc::clone(&edge), req, next)))
    };
    let public = HttpServer::new(app)
        .workers(workers.max(1))
        .keep_alive(options.keep_alive)
        .client_request_timeout(options.header_timeout)
        .max_connections(options.max_connections)
        .tcp_nodelay(true)
        // A client that closes has left: what is done for it is cancelled instead of finished for nobody.
        .h1_allow_half_closed(false)
        .shutdown_timeout(drain.as_secs())
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(Servers { public, private })
}

fn private(
    listener: TcpListener,
    checks: Vec<Arc<dyn HealthCheck>>,
    lifecycle: Lifecycle,
    openapi: String,
) -> io::Result<Server> {
    let health = web::Data::new(Health::new(checks, lifecycle));
    let openapi = web::Data::new(OpenApi(openapi));
    let app = move || {
        App::new()
            .app_data(health.clone())
            .app_data(openapi.clone())
            .service(web::resource("/livez").route(web::get().to(livez)))
            .service(web::resource("/readyz").route(web::get().to(readyz)))
            .service(web::resource("/startupz").route(web::get().to(startupz)))
            .service(web::resource("/metrics").route(web::get().to(render_metrics)))
            .service(web::resource("/openapi.json").route(web::get().to(openapi_json)))
            .default_service(web::to(not_found))
    };
    let server = HttpServer::new(app).workers(1).tcp_nodelay(true).shutdown_timeout(1).disable_signals();
    Ok(server.listen(listener)?.run())
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(&codes::NOT_FOUND))
}

struct OpenApi(String);

async fn livez() -> HttpResponse {
    state(true, &serde_json::json!({"status": "alive"}))
}

async fn startupz(health: web::Data<Health>) -> HttpResponse {
    let started = health.started();
    state(started, &serde_json::json!({"status": if started { "started" } else { "starting" }}))
}

async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let report = health.ready().await;
    state(report.status == "ready", &report)
}

fn state(good: bool, body: &impl serde::Serialize) -> HttpResponse {
    let mut answer = if good { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

async fn render_metrics() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(metrics::render())
}

async fn openapi_json(document: web::Data<OpenApi>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}
