//! No spelling of a path leads where the route table does not.

use reqwest::Method;
use testkit::Answer;

use crate::support::{App, Backend, speak, status_of};

/// The path byte by byte, as no HTTP library would send it.
async fn ask(app: &App, method: &str, path: &str) -> String {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        app.token()
    );
    speak(app.addr, request.as_bytes()).await
}

#[tokio::test]
async fn nothing_reaches_another_prefix_or_the_inside() {
    let (users, auth) = (Backend::start(), Backend::start());
    let app = App::builder().auth(&auth).users(&[&users]).start().await;
    for (path, expected) in [
        ("/internal/token", 404),
        ("/internal", 404),
        ("/INTERNAL/token", 404),
        ("/v1/../internal/token", 404),
        ("//internal/token", 404),
        ("/%69nternal/token", 404),
        ("/v1/users/../../internal/token", 400),
        ("/v1/users/..%2f..%2finternal/token", 400),
        ("/v1/users/%2e%2e/%2e%2e/internal/token", 400),
        ("/v1/users/.%2e/auth/login", 400),
        ("/v1/users/..;/auth/login", 200),
        ("/v1/users/\\..\\auth", 400),
        ("/v1/users/%5c..%5cauth", 400),
        ("/v1/users//auth", 400),
        ("//v1/users/me", 404),
        ("/v1//users/me", 404),
        ("/v1/users/%00", 400),
        ("/v1/users/%0d%0ahost:%20evil", 400),
        ("/v1/users/%zz", 400),
        ("/v1/users%2fme", 400),
        ("/v1/%75sers/me", 404),
        ("/v1/users%3f/../x", 400),
        ("/v1/userspace", 404),
        ("/v2/users/me", 404),
        ("/v1", 404),
        ("/V1/users/me", 404),
        ("/readyz", 404),
        ("/metrics", 404),
        ("http://evil.example/internal/token", 404),
    ] {
        let answer = ask(&app, "GET", path).await;
        assert_eq!(status_of(&answer), expected, "{path}: {answer}");
    }
    // One of them is an ordinary, if strange, path of users; it went there and as it was.
    assert_eq!(users.only().target, "/v1/users/..;/auth/login");
    assert!(auth.seen().is_empty());
}

#[tokio::test]
async fn each_prefix_goes_to_its_service() {
    let (users, auth) = (Backend::start(), Backend::start());
    let app = App::builder().auth(&auth).users(&[&users]).start().await;
    for path in [
        "/v1/auth",
        "/v1/auth/sessions",
        "/.well-known/jwks.json",
        "/v1/users",
        "/v1/users/me",
        "/v1/organizations/x/members",
    ] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    let targets = |backend: &Backend| backend.seen().into_iter().map(|seen| seen.target).collect::<Vec<_>>();
    assert_eq!(targets(&auth), ["/v1/auth", "/v1/auth/sessions", "/.well-known/jwks.json"]);
    assert_eq!(targets(&users), ["/v1/users", "/v1/users/me", "/v1/organizations/x/members"]);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    assert_eq!(app.get("/v2/users/me").await.problem(404), "not_found");
    assert_eq!(app.get("/v1/users/%2e%2e/x").await.status, 404, "reqwest resolves dots itself");
    let welcome = app.get("/").await.json::<serde_json::Value>(200);
    assert_eq!(welcome["openapi"], "/openapi.json");
    for path in ["/", "/openapi.json", "/docs/", "/docs/errors/not_found"] {
        let answer = Answer::to(app.request(Method::POST, path)).await;
        assert_eq!(answer.problem(405), "method_not_allowed", "{path}");
        assert!(answer.header("allow").unwrap().contains("GET"), "{path}");
    }
}

#[tokio::test]
async fn strange_methods_stay_outside() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for method in ["TRACE", "PROPFIND", "get", "X"] {
        let answer = ask(&app, method, "/v1/users/me").await;
        assert_eq!(status_of(&answer), 405, "{method}: {answer}");
        assert!(
            answer.contains("method_not_allowed") && answer.to_ascii_lowercase().contains("\r\nallow: get"),
            "{answer}"
        );
    }
    let tunnel = ask(&app, "CONNECT", "evil.example:443").await;
    assert!((400..500).contains(&status_of(&tunnel)), "{tunnel}");
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn an_upgrade_to_websocket_is_refused_and_the_connection_closed() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let request = format!(
        "GET /v1/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {0}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         GET /v1/users/smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {0}\r\n\r\n",
        app.token()
    );
    let answer = speak(app.addr, request.as_bytes()).await;
    assert_eq!(status_of(&answer), 501, "{answer}");
    assert!(answer.contains("upgrade_not_supported"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "what follows is not HTTP: {answer}");
    assert!(backend.seen().is_empty());
}
