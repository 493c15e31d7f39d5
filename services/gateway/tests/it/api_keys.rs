//! API keys: exchanged for a token of a minute, kept for a moment, and never shown to a service.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use contracts::auth::v1::{ApiKeyRevoked, ApiKeyUpdated};
use contracts::{ApiKeyId, CloudEvent, Event, Origin, Role, Scope};
use futures_util::future;
use kit::auth::{ApiKeyEnvironment, ApiKeyText};
use kit::{Core, NewId, RandomIds};
use reqwest::RequestBuilder;
use serde_json::Value;
use testkit::{Actor, Answer, infra};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{App, AppBuilder, Backend, Seen, speak, status_of};

const SCOPES: &[Scope] = &[Scope::AiInvoke, Scope::AiRead];

async fn app(backend: &Backend) -> App {
    App::builder().users(&[backend]).ai(backend).start().await
}

fn key_of(app: &App) -> String {
    app.auth.api_key(&Actor::new(Role::Member), SCOPES)
}

fn get(app: &App, path: &str) -> RequestBuilder {
    app.client.get(format!("{}{path}", app.url))
}

async fn ask(app: &App, key: &str) -> Answer {
    Answer::to(get(app, "/v1/ai/models").bearer_auth(key)).await
}

/// The scopes in the token that a service was sent, after a look at what else it was sent.
#[track_caller]
fn scopes_in(seen: &Seen) -> String {
    assert!(seen.headers.iter().all(|(name, value)| name != "x-api-key" && !value.contains("bo_")), "{seen:?}");
    let token = seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert!(claims["api_key"].is_string(), "{claims}");
    claims["scope"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn services_see_a_token_and_never_the_key() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let key = key_of(&app);
    Answer::to(get(&app, "/v1/models").bearer_auth(&key)).await.json::<Value>(200);
    Answer::to(get(&app, "/v1/messages").header("x-api-key", &key)).await.json::<Value>(200);
    Answer::to(get(&app, "/v1/users/me").header("X-Api-Key", &key).bearer_auth(&key)).await.json::<Value>(200);
    let seen = backend.seen();
    assert_eq!(seen.len(), 3);
    for seen in &seen {
        assert_eq!(scopes_in(seen), "ai:read ai:invoke");
    }
    assert_eq!(app.auth.exchanges().len(), 1, "one exchange serves them all");
    let metrics = Answer::to(app.client.get(format!("{}/metrics", app.private_url))).await.text();
    for line in [
        "brainops_gateway_api_key_lookups_total{result=\"hit\",service=\"gateway\"} 2",
        "brainops_gateway_api_key_lookups_total{result=\"miss\",service=\"gateway\"} 1",
        "brainops_gateway_api_key_exchanges_total{result=\"ok\",service=\"gateway\"} 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("bo_test"));
}

#[tokio::test]
async fn mem0s_clients_call_it_a_token() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).memory(&backend).start().await;
    let ping = |credential: &str| {
        let request = get(&app, "/v1/memory/compat/mem0/v1/ping/").header("authorization", credential);
        async { Answer::to(request).await }
    };
    let key = key_of(&app);
    ping(&format!("Token {key}")).await.json::<Value>(200);
    assert_eq!(scopes_in(&backend.only()), "ai:read ai:invoke");
    // Only keys are called so, and what is refused is refused in the form that these clients read.
    for bad in [format!("Token {}", app.token()), "Token bo_test_x".into(), format!("Tokens {key}"), key] {
        let refused = ping(&bad).await;
        let body: Value = refused.json(401);
        assert_eq!(refused.header("content-type"), Some("application/json"), "{body}");
        assert!(body["detail"].is_string(), "{body}");
    }
    assert_eq!(backend.seen().len(), 1);
}

#[tokio::test]
async fn a_bad_key_is_refused_in_the_words_of_the_route() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let made = ApiKeyText::generate(ApiKeyEnvironment::Live, RandomIds.new::<ApiKeyId>(), &RandomIds);
    let unknown = made.expose();
    let malformed = format!("{}x", &unknown[..unknown.len() - 1]);
    for key in ["bo_live_", "bo_test_x", malformed.replace("bo_live", "bo_test").as_str()] {
        assert_eq!(ask(&app, key).await.problem(401), "invalid_api_key", "{key}");
    }
    for key in ["sk-ant-api03-x", "", "eyJ.e30.x"] {
        let answer = Answer::to(get(&app, "/v1/messages").header("x-api-key", key)).await;
        assert_eq!(answer.anthropic_error(401), "authentication_error", "{key}");
    }
    assert_eq!(app.auth.exchanges(), [], "what is no key is not asked about");
    let answer = Answer::to(get(&app, "/v1/chat/completions").bearer_auth(unknown)).await;
    assert_eq!(answer.openai_error(401), "invalid_api_key");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert!(!answer.text().contains("bo_"), "{}", answer.text());
    for _ in 0..10 {
        assert_eq!(ask(&app, unknown).await.problem(401), "invalid_api_key");
    }
    assert_eq!(app.auth.exchanges().len(), 1, "a refusal is remembered");
    app.clock.advance(TimeDelta::seconds(11));
    ask(&app, unknown).await;
    assert_eq!(app.auth.exchanges().len(), 2, "for a moment");
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn two_credentials_are_one_too_many() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let (key, other) = (key_of(&app), key_of(&app));
    let with = |request: RequestBuilder| async { Answer::to(request).await };
    let request = get(&app, "/v1/chat/completions").header("x-api-key", &key).bearer_auth(&other);
    assert_eq!(with(request).await.openai_error(400), "bad_request");
    let request = get(&app, "/v1/chat/completions").header("x-api-key", &key).bearer_auth(app.token());
    assert_eq!(with(request).await.openai_error(400), "bad_request");
    let request = get(&app, "/v1/messages").header("x-api-key", &key).header("x-api-key", &key);
    assert_eq!(with(request).await.anthropic_error(400), "invalid_request_error");
    // As it is on the wire, whatever the spelling and the order; a header cannot be declared away either.
    let raw = async |headers: &str| {
        let request = format!("GET /v1/ai/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n");
        status_of(&speak(app.addr, request.as_bytes()).await)
    };
    assert_eq!(raw(&format!("X-API-KEY: {key}\r\nAuthorization: Bearer {other}")).await, 400);
    assert_eq!(raw(&format!("Authorization: Bearer {key}\r\nX-Api-Key: {other}")).await, 400);
    assert_eq!(raw(&format!("X-Api-Key: {key}\r\nx-api-KEY: {key}")).await, 400);
    assert_eq!(raw(&format!("X-Api-Key: {key}, {key}")).await, 401);
    assert_eq!(raw(&format!("X-Api-Key: {key}\r\n {key}")).await, 400);
    assert!(backend.seen().is_empty());
    assert_eq!(raw(&format!("Connection: x-api-key, authorization\r\nX-Api-Key: {key}")).await, 200);
    scopes_in(&backend.only());
}

#[tokio::test]
async fn a_call_that_needs_no_credentials_does_not_pass_a_key_on() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let key = key_of(&app);
    let login = || app.client.post(format!("{}/v1/auth/login", app.url));
    for request in [
        login().bearer_auth(&key),
        login().header("authorization", &key),
        login().header("x-api-key", &key),
        login().header("x-api-key", "anything").bearer_auth("stale"),
    ] {
        Answer::to(request).await.json::<Value>(200);
    }
    let seen = backend.seen();
    assert!(seen.iter().all(|seen| seen.header("x-api-key").is_none()));
    let sent: Vec<_> = seen.iter().map(|seen| seen.header("authorization")).collect();
    assert_eq!(sent, [None, None, None, Some("Bearer stale")]);
    assert_eq!(app.auth.exchanges(), []);
}

#[tokio::test]
async fn however_many_come_at_once_auth_is_asked_once() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let key = key_of(&app);
    app.auth.slow_exchanges(Duration::from_millis(300));
    // The first one leaves while auth thinks; its question is not lost.
    let mut first = TcpStream::connect(app.addr).await.unwrap();
    let request = format!("GET /v1/ai/models HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n\r\n");
    first.write_all(request.as_bytes()).await.unwrap();
    while app.auth.exchanges().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(first);
    let answers = future::join_all((0..50).map(|_| ask(&app, &key))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(app.auth.exchanges().len(), 1);
}

#[tokio::test]
async fn an_answer_of_auth_is_kept_for_half_a_minute_and_renewed_before_that() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let key = key_of(&app);
    assert_eq!(ask(&app, &key).await.status, 200);
    app.clock.advance(TimeDelta::seconds(19));
    assert_eq!(ask(&app, &key).await.status, 200);
    assert_eq!(app.auth.exchanges().len(), 1);
    // Near its end it is renewed while requests go on with what is there.
    app.clock.advance(TimeDelta::seconds(5));
    app.auth.slow_exchanges(Duration::from_secs(30));
    for _ in 0..5 {
        assert_eq!(ask(&app, &key).await.status, 200);
    }
    while app.auth.exchanges().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask(&app, &key).await.status, 200);
    assert_eq!(app.auth.exchanges().len(), 2);
}

#[tokio::test]
async fn a_key_that_auth_no_longer_takes_is_out_after_half_a_minute_without_any_event() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let key = key_of(&app);
    assert_eq!(ask(&app, &key).await.status, 200);
    app.auth.revoke_api_key(&key);
    app.clock.advance(TimeDelta::seconds(31));
    assert_eq!(ask(&app, &key).await.problem(401), "invalid_api_key");
}

#[tokio::test]
async fn a_key_is_judged_for_each_address() {
    let backend = Backend::start();
    let app =
        App::builder().users(&[&backend]).ai(&backend).env("BRAINOPS_TRUSTED_PROXIES", "127.0.0.0/8").start().await;
    let key = key_of(&app);
    for address in ["203.0.113.7", "203.0.113.7", "203.0.113.8", "2001:db8::1"] {
        let request = get(&app, "/v1/ai/models").bearer_auth(&key).header("x-forwarded-for", address);
        assert_eq!(Answer::to(request).await.status, 200);
    }
    let addresses: Vec<_> = app.auth.exchanges().iter().map(|(_, address)| address.unwrap().to_string()).collect();
    assert_eq!(addresses, ["203.0.113.7", "203.0.113.8", "2001:db8::1"]);
}

#[tokio::test]
async fn while_auth_is_away_the_last_token_works_until_it_ends() {
    let backend = Backend::start();
    let app = app(&backend).await;
    let (key, other) = (key_of(&app), key_of(&app));
    assert_eq!(ask(&app, &key).await.status, 200);
    app.auth.stop().await;
    for _ in 0..2 {
        app.clock.advance(TimeDelta::seconds(25));
        assert_eq!(ask(&app, &key).await.status, 200);
    }
    let answer = Answer::to(get(&app, "/v1/chat/completions").bearer_auth(&other)).await;
    assert_eq!(answer.openai_error(503), "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let answer = Answer::to(get(&app, "/v1/messages").header("x-api-key", &other)).await;
    assert_eq!(answer.anthropic_error(503), "overloaded_error");
    app.clock.advance(TimeDelta::seconds(11));
    assert_eq!(ask(&app, &key).await.problem(503), "unavailable");
    assert_eq!(ask(&app, "bo_live_x").await.problem(401), "invalid_api_key");
}

/// Publishes as auth's relay does.
struct Auth {
    broker: events::Broker,
}

impl Auth {
    fn start() -> (Self, AppBuilder) {
        let namespace = format!("t{}.", kit::Ids::uuid(&RandomIds).simple());
        let url = infra().amqp_url.clone();
        let settings = events::Settings { url: kit::Secret::new(url.clone()), namespace: namespace.clone() };
        let broker = events::Broker::open(&settings, &Core::outside("auth")).unwrap();
        let app = App::builder().env("BRAINOPS_AMQP_URL", url).env("BRAINOPS_AMQP_NAMESPACE", namespace);
        (Self { broker }, app)
    }

    async fn publish(&self, event: &impl Event) {
        let origin = Origin::system(testkit::test_start());
        let event = CloudEvent::new(RandomIds.new(), &origin, 1, event).unwrap();
        events::tools::publish(&self.broker, &event).await.unwrap();
    }

    async fn revoked(&self, key: ApiKeyId) {
        let until = testkit::test_start() + TimeDelta::minutes(10);
        let event = ApiKeyRevoked {
            api_key_id: key.to_string(),
            tokens_expire_at: Some(until.into()),
            ..ApiKeyRevoked::default()
        };
        self.publish(&event).await;
    }

    async fn updated(&self, key: ApiKeyId) {
        self.publish(&ApiKeyUpdated { api_key_id: key.to_string(), ..ApiKeyUpdated::default() }).await;
    }
}

fn id_of(key: &str) -> ApiKeyId {
    ApiKeyText::parse(key).unwrap().id()
}

/// Asks until `done`, which must be within the five seconds that are promised.
async fn within_five_seconds(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap_or_else(|_| panic!("not within 5 s: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_opens_nothing_within_five_seconds() {
    let backend = Backend::start();
    let (auth, builder) = Auth::start();
    let app = builder.users(&[&backend]).ai(&backend).start().await;
    // The gateway hears auth as soon as a first key is refused for its event; auth itself would still exchange it.
    let probe = key_of(&app);
    let listens = async {
        while ask(&app, &probe).await.status == 200 {
            auth.revoked(id_of(&probe)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), listens).await.expect("the gateway hears of revocations");
    let (key, other) = (key_of(&app), key_of(&app));
    assert_eq!((ask(&app, &key).await.status, ask(&app, &other).await.status), (200, 200));
    auth.revoked(id_of(&key)).await;
    within_five_seconds("the key is refused", async || ask(&app, &key).await.status == 401).await;
    assert_eq!(ask(&app, &key).await.problem(401), "invalid_api_key");
    assert_eq!(ask(&app, &other).await.status, 200, "another key of the same gateway is not concerned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_allows_what_it_says_within_five_seconds() {
    let backend = Backend::start();
    let (auth, builder) = Auth::start();
    let app = builder.users(&[&backend]).ai(&backend).start().await;
    let key = key_of(&app);
    // The first exchange is for want of an answer, a second one may be for the attachment of the queue, a third is for
    // an event that was heard.
    let listens = async {
        while app.auth.exchanges().len() < 3 {
            assert_eq!(ask(&app, &key).await.status, 200);
            auth.updated(id_of(&key)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), listens).await.expect("the gateway hears of changes");
    app.auth.change_api_key(&key, &[Scope::AiRead]);
    auth.updated(id_of(&key)).await;
    let scopes = async || {
        assert_eq!(ask(&app, &key).await.status, 200);
        scopes_in(&backend.seen().pop().unwrap())
    };
    within_five_seconds("the key is narrowed", async || scopes().await == "ai:read").await;
}
