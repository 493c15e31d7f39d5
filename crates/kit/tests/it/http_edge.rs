//! What happens around every request: ids, errors, limits, deadlines, panics, headers, metrics.
use std::{net::IpAddr, time::Duration};

use actix_web::{HttpResponse, web};
use futures_util::{StreamExt as _, stream};
use kit::http::{BodyLimit, HttpOptions, RequestContext};
use kit::{ErrorCode, Problem, telemetry};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::http_support::{SERVICE, Served, Setup, client, problem, read_to_end, serve, serve_with};

static BROKEN: ErrorCode = ErrorCode::new("store_broken", 500, "The store is broken");

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/things").route(web::get().to(HttpResponse::NoContent)).route(web::post().to(echo)))
        .service(web::resource("/v1/things/{thing_id}").route(web::get().to(HttpResponse::NoContent)))
        .service(web::resource("/v1/actix/{number}").route(web::post().to(plain_actix)))
        .service(web::resource("/v1/context").route(web::get().to(context)))
        .service(web::resource("/v1/broken").route(web::get().to(broken)))
        .service(web::resource("/v1/teapot").route(web::get().to(HttpResponse::ImATeapot)))
        .service(web::resource("/v1/foreign").route(web::get().to(foreign)))
        .service(web::resource("/v1/form").route(web::post().to(plain_form)))
        .service(web::resource("/v1/panic").route(web::get().to(panics)))
        .service(web::resource("/v1/slow").route(web::get().to(slow)))
        .service(web::resource("/v1/stream").route(web::get().to(streams)))
        .service(web::resource("/v1/public").route(web::get().to(public)));
}

async fn echo(body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

/// A handler that uses the framework's own extractors, which answer in plain text.
async fn plain_actix(_: web::Path<u32>, _: web::Query<Strict>, _: web::Json<Value>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn plain_form(_: web::Form<Strict>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[derive(serde::Deserialize)]
struct Strict {
    #[serde(rename = "q")]
    _q: u32,
}

async fn context(context: RequestContext) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "request_id": context.request_id,
        "address": context.address.map(|address: IpAddr| address.to_string()),
        "user_agent": context.user_agent,
        "traceparent": telemetry::traceparent(),
    }))
}

async fn broken() -> Result<HttpResponse, Problem> {
    Err(Problem::new(&BROKEN).detail("SELECT password FROM users").caused_by("connection to 10.0.0.7 lost"))
}

async fn foreign() -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": {"message": "in another form"}}))
}

async fn panics() -> HttpResponse {
    panic!("a defect")
}

async fn slow() -> HttpResponse {
    tokio::time::sleep(Duration::from_mins(1)).await;
    HttpResponse::Ok().finish()
}

/// The head comes at once, the body much later than the handler's deadline.
async fn streams() -> HttpResponse {
    HttpResponse::Ok().streaming(stream::once(async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        Ok::<_, std::io::Error>(web::Bytes::from_static(b"late"))
    }))
}

async fn public() -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "public, max-age=60")).finish()
}

async fn code(server: &Served, method: Method, path: &str) -> (u16, String) {
    let response = client().request(method, server.url(path)).send().await.unwrap();
    let status = response.status().as_u16();
    (status, problem(response).await["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_error_leaves_as_a_problem_document() {
    let server = serve(routes).await;
    assert_eq!(code(&server, Method::GET, "/").await, (404, "not_found".into()));
    assert_eq!(code(&server, Method::GET, "/v2/things").await, (404, "not_found".into()));
    assert_eq!(code(&server, Method::DELETE, "/v1/things").await, (405, "method_not_allowed".into()));
    assert_eq!(code(&server, Method::GET, "/v1/teapot").await, (418, "bad_request".into()));
    // The framework's own: path, query, body.
    assert_eq!(code(&server, Method::POST, "/v1/actix/x").await, (404, "not_found".into()));
    assert_eq!(code(&server, Method::POST, "/v1/actix/1?q=x").await, (400, "invalid_parameter".into()));
    assert_eq!(code(&server, Method::POST, "/v1/actix/1?q=1").await, (415, "unsupported_media_type".into()));
}

#[tokio::test]
async fn bodies_that_the_framework_refuses_are_problems_too() {
    let server = serve(routes).await;
    let post = async |path: &str, content_type: &str, body: &'static str| {
        let request = client().post(server.url(path)).header("content-type", content_type).body(body);
        problem(request.send().await.unwrap()).await["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(post("/v1/actix/1?q=1", "application/json", "{").await, "malformed_json");
    assert_eq!(post("/v1/form", "application/x-www-form-urlencoded", "q=x").await, "validation_failed");
    assert_eq!(post("/v1/form", "text/plain", "q=1").await, "unsupported_media_type");
}

#[tokio::test]
async fn a_405_says_what_is_allowed() {
    let server = serve(routes).await;
    let response = client().delete(server.url("/v1/things")).send().await.unwrap();
    let allow = response.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn another_form_of_error_passes_as_it_is() {
    let server = serve(routes).await;
    let response = client().get(server.url("/v1/foreign")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"error": {"message": "in another form"}}));
}

#[tokio::test]
async fn a_500_tells_nothing_but_its_code_and_request_id() {
    let server = serve(routes).await;
    let response = client().get(server.url("/v1/broken")).send().await.unwrap();
    assert_eq!(response.status(), 500);
    let body = problem(response).await.to_string();
    assert!(body.contains("store_broken"), "{body}");
    assert!(!body.contains("SELECT") && !body.contains("10.0.0.7"), "{body}");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_lives_on() {
    let server = serve(routes).await;
    let answer = server
        .raw(
            b"GET /v1/panic HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/things HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains("\"code\":\"internal_error\"") && !answer.contains("a defect"), "{answer}");
    assert!(answer.contains("x-request-id") && answer.contains("nosniff"), "{answer}");
    assert!(answer.contains("HTTP/1.1 204"), "the second request on the same connection is answered: {answer}");
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_ended_and_a_stream_is_not() {
    let options = HttpOptions { handler_timeout: Some(Duration::from_millis(200)), ..HttpOptions::default() };
    let server = serve_with(Setup { options, ..Setup::default() }, routes).await;
    assert_eq!(code(&server, Method::GET, "/v1/slow").await, (504, "timeout".into()));
    let late = client().get(server.url("/v1/stream")).send().await.unwrap();
    assert_eq!(late.text().await.unwrap(), "late");
}

#[tokio::test]
async fn request_ids_are_taken_when_well_formed_and_always_returned() {
    let server = serve(routes).await;
    let id = async |sent: &str| {
        let response = client().get(server.url("/v1/context")).header("x-request-id", sent).send().await.unwrap();
        let returned = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(response.json::<Value>().await.unwrap()["request_id"], returned);
        returned
    };
    assert_eq!(id("client-made.id_1").await, "client-made.id_1");
    assert_ne!(id("short").await, "short");
    assert_ne!(id(&"x".repeat(200)).await, "x".repeat(200));
    assert_ne!(id("<script>alert(1)</script>").await, "<script>alert(1)</script>");
}

#[tokio::test]
async fn crlf_in_a_request_id_reaches_neither_header_nor_body() {
    let server = serve(routes).await;
    for id in ["abcdefgh%0d%0aset-cookie:%20a=b", "abcdefgh\\r\\nset-cookie: a=b", "abcdefgh\tset-cookie: a=b"] {
        let request = format!("GET /nowhere HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\nconnection: close\r\n\r\n");
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(!answer.contains("set-cookie") && !answer.contains("abcdefgh"), "{answer}");
    }
    // A bare line feed ends the header for some parsers; whatever this one does, nothing of it comes back.
    let answer = server
        .raw(b"GET /nowhere HTTP/1.1\r\nhost: x\r\nx-request-id: abcdefgh\nevil: 1\r\nconnection: close\r\n\r\n")
        .await;
    assert!(!answer.to_lowercase().contains("\nevil:"), "{answer}");
}

#[tokio::test]
async fn a_trace_is_continued() {
    telemetry::init(
        &kit::config::TelemetrySettings { log: "off".into(), otlp_endpoint: None, trace_ratio: 1.0, sentry_dsn: None },
        SERVICE,
        kit::config::Environment::Development,
    );
    let server = serve(routes).await;
    let ask = async |parent: Option<&str>| {
        let mut request = client().get(server.url("/v1/context"));
        if let Some(parent) = parent {
            request = request.header("traceparent", parent);
        }
        request.send().await.unwrap().json::<Value>().await.unwrap()["traceparent"].as_str().unwrap().to_owned()
    };
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen = ask(Some(parent)).await;
    assert!(seen.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && seen != parent, "{seen}");
    let (new, bad) = (ask(None).await, ask(Some("00-zz-zz-01")).await);
    assert!(!new.contains("0af7651916") && !bad.contains("zz") && new != bad);
}

#[tokio::test]
async fn security_headers_are_on_every_answer() {
    let options = HttpOptions { https: true, ..HttpOptions::default() };
    let server = serve_with(Setup { options, ..Setup::default() }, routes).await;
    for path in ["/v1/things", "/nowhere", "/v1/broken", "/v1/panic"] {
        let response = client().get(server.url(path)).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        assert!(headers["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
    }
    let response = client().get(server.url("/v1/public")).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=60");
}

#[tokio::test]
async fn hsts_is_for_https_only() {
    let server = serve(routes).await;
    let response = client().get(server.url("/v1/things")).send().await.unwrap();
    assert!(!response.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn long_urls_and_large_headers_are_refused() {
    let server = serve(routes).await;
    assert_eq!(
        code(&server, Method::GET, &format!("/v1/things?q={}", "x".repeat(9000))).await,
        (414, "uri_too_long".into())
    );
    let response = client().get(server.url("/v1/things")).header("x-large", "x".repeat(17_000)).send().await.unwrap();
    assert_eq!(response.status(), 431);
    assert_eq!(problem(response).await["code"], "header_fields_too_large");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let larger = BodyLimit { route: "/v1/actix/{number}".into(), bytes: 1 << 20, timeout: Duration::from_secs(30) };
    let options = HttpOptions { body_limit: 100, body_limits: vec![larger], ..HttpOptions::default() };
    let server = serve_with(Setup { options, ..Setup::default() }, routes).await;
    // Announced and never sent: the answer does not wait for it.
    let answer = server.raw(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"), "{answer}");
    // Not announced.
    let chunks = stream::iter((0..30).map(|_| Ok::<_, std::io::Error>(web::Bytes::from_static(b"0123456789"))));
    let response =
        client().post(server.url("/v1/things")).body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(problem(response).await["code"], "payload_too_large");
    // Within the limit, and within another route's limit.
    let response = client().post(server.url("/v1/things")).body("x".repeat(100)).send().await.unwrap();
    assert_eq!(response.text().await.unwrap().len(), 100);
    let large = json!("x".repeat(5000));
    assert_eq!(client().post(server.url("/v1/actix/1?q=1")).json(&large).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_that_drips_is_ended() {
    let options = HttpOptions {
        body_timeout: Duration::from_millis(600),
        body_idle_timeout: Duration::from_millis(300),
        ..HttpOptions::default()
    };
    let server = serve_with(Setup { options, ..Setup::default() }, routes).await;
    // Silence.
    let begun = std::time::Instant::now();
    let answer = server.raw(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n123").await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    // A byte now and then: never idle, and still ended.
    let mut stream = server.connect().await;
    stream.write_all(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let dripping = kit::tasks::spawn("test.drip", async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer).await;
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    dripping.await.unwrap();
}

#[tokio::test]
async fn a_body_that_may_take_longer_gives_its_handler_longer() {
    let patient = BodyLimit { route: "/v1/things".into(), bytes: 1 << 20, timeout: Duration::from_secs(30) };
    let options = HttpOptions {
        handler_timeout: Some(Duration::from_millis(200)),
        body_timeout: Duration::from_millis(200),
        body_limits: vec![patient],
        ..HttpOptions::default()
    };
    let server = serve_with(Setup { options, ..Setup::default() }, routes).await;
    let pieces = stream::iter(0..6).then(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, std::io::Error>(web::Bytes::from_static(b"12345"))
    });
    let slow = client().post(server.url("/v1/things")).body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap();
    assert_eq!(slow.text().await.unwrap().len(), 30);
    assert_eq!(code(&server, Method::GET, "/v1/slow").await, (504, "timeout".into()), "others have what they had");
}

#[tokio::test]
async fn a_head_that_drips_is_ended() {
    let options = HttpOptions { header_timeout: Duration::from_millis(300), ..HttpOptions::default() };
    let server = serve_with(Setup { options, ..Setup::default() }, routes).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /v1/things HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let begun = std::time::Instant::now();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn smuggling_attempts_are_400_and_end_the_connection() {
    let server = serve(routes).await;
    for request in [
        "POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/public HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 40\r\n\r\nGET /v1/public HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
        "POST /v1/things HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{request:?}: {answer}");
        assert!(!answer.contains("max-age=60"), "the second request must not be answered: {answer}");
    }
}

#[tokio::test]
async fn metrics_are_by_template_and_know_no_foreign_names() {
    let server = serve(routes).await;
    for path in ["/v1/things/1", "/v1/things/2", "/nowhere/1", "/nowhere/2"] {
        client().get(server.url(path)).send().await.unwrap();
    }
    client().request(Method::from_bytes(b"BREW").unwrap(), server.url("/v1/public")).send().await.unwrap();
    let text = client().get(server.private_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains(SERVICE)).collect();
    let counted = |method: &str, route: &str, status: &str| {
        let line = format!(
            "http_requests_total{{method=\"{method}\",route=\"{route}\",service=\"{SERVICE}\",status=\"{status}\"}}"
        );
        ours.iter().any(|seen| seen.starts_with(&line))
    };
    assert!(counted("GET", "/v1/things/{thing_id}", "204"), "{ours:#?}");
    assert!(counted("GET", "unmatched", "404"), "{ours:#?}");
    assert!(counted("_OTHER", "/v1/public", "405"), "{ours:#?}");
    assert!(!text.contains("nowhere") && !text.contains("BREW"));
    assert!(text.contains("http_request_duration_seconds_bucket{"));
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let server = serve(routes).await;
    let in_flight = async || {
        let text = client().get(server.private_url("/metrics")).send().await.unwrap().text().await.unwrap();
        let name = format!("http_requests_in_flight{{service=\"{SERVICE}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned)).unwrap()
    };
    let mut stream = server.connect().await;
    stream.write_all(b"GET /v1/slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let until = async |wanted: &str| {
        let mut seen = String::new();
        for _ in 0..100 {
            seen = in_flight().await;
            if seen == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{seen} in flight instead of {wanted}");
    };
    client().get(server.url("/v1/things")).send().await.unwrap();
    until("1").await;
    drop(stream);
    until("0").await;
}

#[tokio::test]
async fn the_private_port_answers_operators() {
    let server = serve(routes).await;
    let get = async |path: &str| client().get(server.private_url(path)).send().await.unwrap();
    assert_eq!(get("/livez").await.status(), 200);
    // Nobody has said yet that the service started.
    assert_eq!(get("/startupz").await.status(), 503);
    let ready = get("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap(), json!({"status": "starting", "checks": []}));
    assert!(get("/openapi.json").await.json::<Value>().await.unwrap()["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(get("/nowhere").await.status(), 404);
    // Nothing of it on the public port.
    for path in ["/metrics", "/readyz", "/livez", "/openapi.json"] {
        assert_eq!(code(&server, Method::GET, path).await.0, 404);
    }
}
