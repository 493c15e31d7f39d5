//! Who may pass.

use contracts::Role;
use kit::auth::{SigningKey, sign};
use reqwest::Method;
use testkit::{Actor, Answer};

use crate::support::{App, Backend};

#[tokio::test]
async fn without_a_token_nothing_but_the_public_calls_passes() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for path in
        ["/v1/users/me", "/v1/organizations", "/v1/auth/sessions", "/v1/auth/login", "/v1/auth", "/.well-known/other"]
    {
        let answer = app.get_anonymously(path).await;
        assert_eq!(answer.problem(401), "unauthenticated", "{path}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{path}");
    }
    assert!(backend.seen().is_empty(), "refused before anything was asked of a service");
}

#[tokio::test]
async fn the_public_calls_need_no_token() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for (method, path) in gateway::domain::route::PUBLIC {
        let request = app.client.request(method.parse::<Method>().unwrap(), format!("{}{path}", app.url));
        assert_eq!(Answer::to(request).await.status, 200, "{method} {path}");
        // A stale token must not lock out whoever wants a new one.
        let request = app.client.request(method.parse::<Method>().unwrap(), format!("{}{path}", app.url));
        assert_eq!(Answer::to(request.bearer_auth("stale")).await.status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_early() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let actor = Actor::new(Role::Owner);
    let stranger = SigningKey::generate("stub-1", &kit::RandomIds).unwrap();
    let claims = serde_json::json!({
        "iss": testkit::AuthStub::ISSUER, "aud": "brainops", "sub": actor.user, "org": actor.org, "sid": actor.session,
        "role": "owner", "scope": "", "auth_time": 0, "iat": 0, "nbf": 0, "exp": 4_000_000_000_u64,
        "jti": "01900000-0000-7000-8000-000000000000"
    });
    let good = app.auth.token(&actor);
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    for (what, token) in [
        ("garbage", "garbage".to_owned()),
        ("no signature", unsigned),
        ("expired", app.auth.token_with(&actor, |claims| claims.exp = claims.iat - 60)),
        ("another audience", app.auth.token_with(&actor, |claims| claims.aud = "users".into())),
        ("another issuer", app.auth.token_with(&actor, |claims| claims.iss = "https://evil.example".into())),
        ("another's key", sign(&claims, &stranger).unwrap()),
        ("a service's token", app.auth.service_token("users", "auth")),
    ] {
        let answer = Answer::to(app.client.get(format!("{}/v1/users/me", app.url)).bearer_auth(token)).await;
        assert_eq!(answer.problem(401), "invalid_token", "{what}");
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"), "{what}");
    }
    assert!(backend.seen().is_empty());
    assert_eq!(Answer::to(app.client.get(format!("{}/v1/users/me", app.url)).bearer_auth(good)).await.status, 200);
}

#[tokio::test]
async fn a_token_stops_working_when_its_time_is_over() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let token = app.token();
    let send =
        || async { Answer::to(app.client.get(format!("{}/v1/users/me", app.url)).bearer_auth(&token)).await.status };
    assert_eq!(send().await, 200);
    app.clock.advance(chrono::TimeDelta::seconds(700));
    assert_eq!(send().await, 401);
}

#[tokio::test]
async fn other_schemes_and_two_headers_are_no_token() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let url = format!("{}/v1/users/me", app.url);
    let basic = app.client.get(&url).header("authorization", "Basic eDp5");
    assert_eq!(Answer::to(basic).await.problem(401), "unauthenticated");
    let twice = app.client.get(&url).bearer_auth(app.token()).header("authorization", "Bearer other");
    assert_eq!(Answer::to(twice).await.problem(400), "bad_request");
    let in_url = app.client.get(format!("{url}?access_token={}", app.token()));
    assert_eq!(Answer::to(in_url).await.problem(401), "unauthenticated");
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn without_keys_nobody_is_called_a_liar() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).keys_at("http://127.0.0.1:1").start().await;
    let answer = app.get("/v1/users/me").await;
    assert_eq!(answer.problem(503), "unavailable");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(app.get_anonymously("/.well-known/jwks.json").await.status, 200);
}

#[tokio::test]
async fn keys_survive_auth() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    assert_eq!(app.get("/v1/users/me").await.status, 200);
    app.auth.stop().await;
    assert_eq!(app.get("/v1/users/me").await.status, 200);
}
