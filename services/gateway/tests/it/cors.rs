//! Calls from browsers.

use reqwest::Method;
use testkit::Answer;

use crate::support::{App, Backend};

const LISTED: &str = "https://app.example.com";

async fn app(backend: &Backend) -> App {
    App::builder()
        .users(&[backend])
        .env("BRAINOPS_CORS_ORIGINS", "https://app.example.com, http://localhost:3000/")
        .start()
        .await
}

fn preflight(app: &App, origin: &str) -> reqwest::RequestBuilder {
    app.client
        .request(Method::OPTIONS, format!("{}/v1/users/me", app.url))
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header(
            "access-control-request-headers",
            "authorization,content-type,x-api-key,anthropic-version,x-stainless-lang",
        )
}

#[tokio::test]
async fn a_listed_origin_may() {
    let backend = Backend::start();
    let app = app(&backend).await;
    for origin in [LISTED, "http://localhost:3000"] {
        let answer = Answer::to(preflight(&app, origin)).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert!(answer.header("access-control-allow-methods").unwrap().contains("PATCH"));
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization,content-type,x-api-key,anthropic-version,x-stainless-lang")
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    assert!(backend.seen().is_empty(), "the gateway answers preflights itself");
    let answer = Answer::to(app.request(Method::GET, "/v1/users/me").header("origin", LISTED)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(LISTED));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("X-Request-Id"));
}

#[tokio::test]
async fn errors_can_be_read_by_the_page_too() {
    let backend = Backend::start();
    let app = app(&backend).await;
    for path in ["/v1/users/me", "/nowhere", "/v1/users/%2f"] {
        let answer = Answer::to(app.client.get(format!("{}{path}", app.url)).header("origin", LISTED)).await;
        assert!(answer.status >= 400);
        assert_eq!(answer.header("access-control-allow-origin"), Some(LISTED), "{path}");
    }
}

#[tokio::test]
async fn another_origin_may_not() {
    let backend = Backend::start();
    let app = app(&backend).await;
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com/",
        "null",
    ] {
        let answer = Answer::to(preflight(&app, origin)).await;
        assert_eq!(answer.problem(403), "origin_not_allowed", "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        let answer = Answer::to(app.request(Method::GET, "/v1/users/me").header("origin", origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert!(answer.headers.get_all("vary").iter().any(|value| value == "Origin"), "{origin}");
    }
}

#[tokio::test]
async fn without_a_list_no_page_may() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = Answer::to(preflight(&app, LISTED)).await;
    assert_eq!(answer.problem(401), "unauthenticated");
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
