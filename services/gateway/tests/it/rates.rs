//! Who calls too often.

use contracts::{ApiKeyId, Role, Scope};
use kit::auth::{ApiKeyEnvironment, ApiKeyText};
use kit::{NewId, RandomIds};
use reqwest::{Method, RequestBuilder};
use testkit::{Actor, Answer};

use crate::support::{App, AppBuilder, Backend};

fn before(backend: &Backend) -> AppBuilder {
    App::builder().users(&[backend]).ai(backend).env("BRAINOPS_TRUSTED_PROXIES", "127.0.0.0/8")
}

fn get(app: &App, path: &str) -> RequestBuilder {
    app.client.get(format!("{}{path}", app.url))
}

/// The statuses of so many equal calls.
async fn statuses(times: usize, request: impl Fn() -> RequestBuilder) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(Answer::to(request()).await.status);
    }
    statuses
}

#[tokio::test]
async fn every_answer_tells_the_limits() {
    let backend = Backend::start();
    let app = before(&backend).start().await;
    let caller = "\"caller\";q=60000;w=60, \"organization\";q=300000;w=60";
    let source = "\"source\";q=12000;w=60";
    let model = "\"model-caller\";q=60000;w=60, \"model-organization\";q=300000;w=60";
    let key = app.auth.api_key(&Actor::new(Role::Member), &[Scope::AiInvoke]);
    for (request, policy) in [
        (app.request(Method::GET, "/v1/users/me"), caller),
        (app.request(Method::GET, "/v1/users/problem"), caller),
        (app.request(Method::GET, "/v1/models"), caller),
        (app.request(Method::POST, "/v1/chat/completions"), model),
        (app.request(Method::GET, "/v1/messages/gate"), model),
        (get(&app, "/v1/responses").bearer_auth(&key), model),
        (get(&app, "/v1/users/me"), source),
        (get(&app, "/v1/users/me").bearer_auth("stale"), source),
        (get(&app, "/v1/users/me").header("x-api-key", "bo_live_x"), source),
        (get(&app, "/.well-known/jwks.json"), source),
        (get(&app, "/"), source),
        (get(&app, "/docs/errors"), source),
        (get(&app, "/nowhere"), source),
    ] {
        let request = request.build().unwrap();
        let what = request.url().to_string();
        let answer = app.client.execute(request).await.unwrap();
        assert_eq!(answer.headers()["ratelimit-policy"], policy, "{what}");
        let left = answer.headers()["ratelimit"].to_str().unwrap();
        assert_eq!(left.matches(";t=").count(), policy.matches(";w=").count(), "{left}");
    }
}

#[tokio::test]
async fn one_call_too_many_is_refused_in_the_words_of_the_route_and_says_when_to_come_again() {
    let backend = Backend::start();
    let app = before(&backend).env("BRAINOPS_RATE_MODEL_CALLER_PER_MINUTE", "5").start().await;
    let token = app.token();
    let chat = || get(&app, "/v1/chat/completions").bearer_auth(&token);
    assert_eq!(statuses(5, chat).await, [200; 5]);
    let answer = Answer::to(chat()).await;
    assert_eq!(answer.openai_error(429), "too_many_requests");
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((10..=12).contains(&wait), "a fifth of a minute, less the time since: {wait}");
    assert_eq!(answer.header("ratelimit"), Some("\"model-caller\";r=0;t=60"));
    let answer = Answer::to(get(&app, "/v1/messages").bearer_auth(&token)).await;
    assert_eq!(answer.anthropic_error(429), "rate_limit_error");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(backend.seen().len(), 5);
    assert_eq!(Answer::to(get(&app, "/v1/users/me").bearer_auth(&token)).await.status, 200, "other calls are not");
    app.metric("brainops_gateway_rate_limited_total{limit=\"model-caller\",service=\"gateway\"}", 2).await;
}

#[tokio::test]
async fn keys_users_and_organizations_are_counted_apart() {
    let backend = Backend::start();
    let app = before(&backend)
        .env("BRAINOPS_RATE_CALLER_PER_MINUTE", "3")
        .env("BRAINOPS_RATE_ORGANIZATION_PER_MINUTE", "7")
        .start()
        .await;
    let somebody = Actor::new(Role::Member);
    let (token, key) = (app.auth.token(&somebody), app.auth.api_key(&somebody, &[Scope::UsersRead]));
    let me = |credential: &str| get(&app, "/v1/users/me").bearer_auth(credential);
    assert_eq!(statuses(4, || me(&token)).await, [200, 200, 200, 429]);
    let another = app.auth.token(&somebody);
    assert_eq!(statuses(1, || me(&another)).await, [429], "another token of the same user");
    assert_eq!(statuses(4, || me(&key)).await, [200, 200, 200, 429]);
    let colleague = app.auth.token(&somebody.colleague(Role::Member));
    let answer = Answer::to(me(&colleague)).await;
    assert_eq!(answer.status, 200);
    let answer = Answer::to(me(&colleague)).await;
    assert_eq!(answer.problem(429), "too_many_requests");
    assert!(answer.text().contains("organization"), "{}", answer.text());
    assert_eq!(statuses(1, || me(&app.token())).await, [200], "another organization");
}

#[tokio::test]
async fn whoever_tries_tokens_is_stopped_and_nobody_else() {
    let backend = Backend::start();
    let app = before(&backend).env("BRAINOPS_RATE_SOURCE_PER_MINUTE", "6").start().await;
    let known = app.token();
    let from = |address: &str, token: &str| {
        get(&app, "/v1/users/me").bearer_auth(token).header("x-forwarded-for", address.to_owned())
    };
    // One of the six: the gateway did not know this token before.
    assert_eq!(statuses(9, || from("2001:db8:1:2::1", &known)).await, [200; 9]);
    let bad = || from("2001:db8:1:2::2", "eyJ.e30.x");
    assert_eq!(statuses(7, bad).await, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(statuses(2, || from("2001:db8:1:2::3", &known)).await, [200; 2], "whoever is known may go on");
    assert_eq!(statuses(1, || from("2001:db8:1:3::1", "eyJ.e30.x")).await, [401], "another network");
    assert_eq!(statuses(1, || from("203.0.113.7", "eyJ.e30.x")).await, [401]);
    let anonymous = get(&app, "/").header("x-forwarded-for", "2001:db8:1:2::9");
    assert_eq!(Answer::to(anonymous).await.problem(429), "too_many_requests");
}

#[tokio::test]
async fn whoever_tries_keys_is_stopped_before_auth_is_asked() {
    let backend = Backend::start();
    let app = before(&backend).env("BRAINOPS_RATE_SOURCE_PER_MINUTE", "6").start().await;
    let guess = || {
        let key = ApiKeyText::generate(ApiKeyEnvironment::Live, RandomIds.new::<ApiKeyId>(), &RandomIds);
        get(&app, "/v1/chat/completions").bearer_auth(key.expose())
    };
    assert_eq!(statuses(8, guess).await, [401, 401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(app.auth.exchanges().len(), 6);
}

#[tokio::test]
async fn what_is_refused_whoever_calls_is_counted_against_the_source() {
    let backend = Backend::start();
    let start = async || {
        let app = App::builder().users(&[&backend]).env("BRAINOPS_TRUSTED_PROXIES", "127.0.0.0/8");
        app.env("BRAINOPS_RATE_SOURCE_PER_MINUTE", "3").start().await
    };
    for (method, path, upgrade, status) in [
        ("GET", "/v1/users//me", None, 400),
        ("TRACE", "/v1/users/me", None, 405),
        ("GET", "/v1/users/me", Some("websocket"), 501),
        ("GET", "/v1/models", None, 404),
        // At no prefix: counted all the same, and once.
        ("GET", "/v1/users%2fme", None, 400),
    ] {
        let app = start().await;
        let call = || {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = app.client.request(method, format!("{}{path}", app.url));
            upgrade.into_iter().fold(request, |request, protocol| request.header("upgrade", protocol))
        };
        assert_eq!(statuses(5, call).await, [status, status, status, 429, 429], "{method} {path}");
        let answer = Answer::to(call()).await;
        assert!(answer.header("retry-after").is_some() && answer.header("ratelimit-policy").is_some());
    }
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn a_sign_in_counts_as_five_looks() {
    let backend = Backend::start();
    let app = before(&backend).env("BRAINOPS_RATE_SOURCE_PER_MINUTE", "12").start().await;
    let login = || app.client.post(format!("{}/v1/auth/login", app.url));
    assert_eq!(statuses(3, login).await, [200, 200, 429]);
    assert_eq!(statuses(3, || get(&app, "/.well-known/jwks.json")).await, [200, 200, 429]);
}

#[tokio::test]
async fn what_ai_says_of_its_own_limits_stays_as_it_is() {
    let backend = Backend::start();
    let app = before(&backend).start().await;
    let answer = app.get("/v1/chat/completions/metered").await;
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("149984"));
    assert!(answer.header("ratelimit").is_some());
}
