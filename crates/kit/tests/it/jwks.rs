//! Keys over HTTP: fetched once for all who wait, seldom for nonsense, kept while auth is away. And service tokens.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use futures_util::future::join_all;
use kit::auth::{
    ClientCredentials, CredentialsError, JwkSet, JwksSource, ServiceClaims, SigningKey, TokenError, Verifier,
    VerifierConfig, sign,
};
use kit::{Clock, HealthCheck, ManualClock, RandomIds, Secret, SystemClock};

use crate::http_support::{Served, serve};

/// Long against what a busy machine does to a test.
const WINDOW: Duration = Duration::from_secs(1);

/// An auth service that counts, and answers what it is told to.
struct Auth {
    asked: Arc<AtomicU32>,
    status: Arc<AtomicU16>,
    key: SigningKey,
    server: Served,
}

impl Auth {
    async fn new() -> Self {
        let key = SigningKey::generate("key-1", &RandomIds).unwrap();
        let (asked, status) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU16::new(200)));
        let state = (Arc::clone(&asked), Arc::clone(&status), JwkSet { keys: vec![key.jwk()] });
        let server = serve(move |config| {
            let state = web::Data::new(state.clone());
            config.app_data(state).service(web::resource("/.well-known/jwks.json").route(web::get().to(jwks)));
        })
        .await;
        Self { asked, status, key, server }
    }

    fn verifier(&self) -> Arc<Verifier> {
        let jwks = JwksSource::Url(self.server.url("/.well-known/jwks.json"));
        let mut config = VerifierConfig::new("https://brainops.example", "brainops", "projects", jwks);
        config.refetch_window = WINDOW;
        Arc::new(Verifier::new(config, Arc::new(SystemClock)).unwrap())
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn token(key: &SigningKey) -> String {
        let now = SystemClock.now().timestamp();
        let claims = ServiceClaims {
            iss: "https://brainops.example".into(),
            aud: "projects".into(),
            sub: "gateway".into(),
            client: "gateway".into(),
            iat: now,
            nbf: now,
            exp: now + 300,
            jti: kit::Ids::uuid(&RandomIds),
        };
        sign(&claims, key).unwrap()
    }
}

type State = (Arc<AtomicU32>, Arc<AtomicU16>, JwkSet);

async fn jwks(state: web::Data<State>) -> HttpResponse {
    let (asked, status, keys) = &**state;
    asked.fetch_add(1, Ordering::SeqCst);
    // Long enough for all callers to arrive.
    tokio::time::sleep(Duration::from_millis(50)).await;
    match status.load(Ordering::SeqCst) {
        200 => HttpResponse::Ok().json(keys),
        204 => HttpResponse::Ok().json(JwkSet::default()),
        206 => HttpResponse::Ok().body("<html>not keys</html>"),
        302 => HttpResponse::Found().insert_header(("location", "/.well-known/jwks.json")).finish(),
        _ => HttpResponse::InternalServerError().finish(),
    }
}

#[tokio::test]
async fn who_leaves_while_keys_are_fetched_does_not_take_them_along() {
    let auth = Auth::new().await;
    let (verifier, token) = (auth.verifier(), Auth::token(&auth.key));
    {
        let mut first = std::pin::pin!(verifier.verify_service(&token));
        // Polled once: the fetch is on its way. Then its caller is gone, and the window has begun.
        assert!(futures_util::poll!(first.as_mut()).is_pending());
    }
    assert!(verifier.verify_service(&token).await.is_ok());
    assert_eq!(auth.asked(), 1);
}

#[tokio::test]
async fn fifty_callers_make_one_fetch() {
    let auth = Auth::new().await;
    let verifier = auth.verifier();
    let tokens: Vec<String> = (0..50).map(|_| Auth::token(&auth.key)).collect();
    let answers = join_all(tokens.iter().map(|token| verifier.verify_service(token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(auth.asked(), 1);
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_a_window() {
    let auth = Auth::new().await;
    let verifier = auth.verifier();
    // Made before the window begins: signing takes its time.
    let forged: Vec<String> =
        (0..50).map(|n| Auth::token(&SigningKey::generate(format!("forged-{n}"), &RandomIds).unwrap())).collect();
    verifier.verify_service(&Auth::token(&auth.key)).await.unwrap();
    let all = || async {
        for answer in join_all(forged.iter().map(|token| verifier.verify_service(token))).await {
            assert_eq!(answer.unwrap_err(), TokenError::UnknownKey);
        }
    };
    all().await;
    assert_eq!(auth.asked(), 1, "the window of the first fetch is still open");
    tokio::time::sleep(WINDOW).await;
    all().await;
    all().await;
    assert_eq!(auth.asked(), 2);
    verifier.verify_service(&Auth::token(&auth.key)).await.unwrap();
}

#[tokio::test]
async fn the_last_good_keys_stay_while_auth_is_away_or_talks_nonsense() {
    let auth = Auth::new().await;
    let verifier = auth.verifier();
    verifier.verify_service(&Auth::token(&auth.key)).await.unwrap();
    let unknown = Auth::token(&SigningKey::generate("key-2", &RandomIds).unwrap());
    for status in [500, 204, 206, 302] {
        auth.status.store(status, Ordering::SeqCst);
        tokio::time::sleep(WINDOW).await;
        let before = auth.asked();
        assert_eq!(verifier.verify_service(&unknown).await.unwrap_err(), TokenError::UnknownKey);
        assert_eq!(auth.asked(), before + 1, "{status}");
        verifier.verify_service(&Auth::token(&auth.key)).await.unwrap();
    }
}

#[tokio::test]
async fn keys_that_grew_old_are_still_used_while_auth_is_away() {
    let auth = Auth::new().await;
    let jwks = JwksSource::Url(auth.server.url("/.well-known/jwks.json"));
    let mut config = VerifierConfig::new("https://brainops.example", "brainops", "projects", jwks);
    (config.refetch_window, config.keys_max_age) = (Duration::ZERO, Duration::ZERO);
    let verifier = Verifier::new(config, Arc::new(SystemClock)).unwrap();
    verifier.verify_service(&Auth::token(&auth.key)).await.unwrap();
    auth.status.store(500, Ordering::SeqCst);
    let before = auth.asked();
    let tokens: Vec<String> = (0..20).map(|_| Auth::token(&auth.key)).collect();
    let answers = join_all(tokens.iter().map(|token| verifier.verify_service(token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(auth.asked(), before + 1, "one asks again, the others do not wait for it");
}

#[tokio::test]
async fn readiness_needs_the_keys_once() {
    let auth = Auth::new().await;
    auth.status.store(500, Ordering::SeqCst);
    let verifier = auth.verifier();
    assert_eq!((verifier.name(), verifier.check().await.is_err()), ("jwks", true));
    auth.status.store(200, Ordering::SeqCst);
    tokio::time::sleep(WINDOW).await;
    verifier.check().await.unwrap();
    auth.status.store(500, Ordering::SeqCst);
    verifier.check().await.unwrap();
    assert_eq!(auth.asked(), 2);
}

#[tokio::test]
async fn without_any_keys_nothing_is_said_about_a_token() {
    let auth = Auth::new().await;
    auth.status.store(500, Ordering::SeqCst);
    let verifier = auth.verifier();
    let token = Auth::token(&auth.key);
    assert_eq!(verifier.verify_service(&token).await.unwrap_err(), TokenError::KeysUnavailable);
    auth.status.store(200, Ordering::SeqCst);
    tokio::time::sleep(WINDOW).await;
    verifier.verify_service(&token).await.unwrap();
}

/// The token endpoint: checks what it is sent, counts, and numbers its tokens.
async fn token_endpoint(req: HttpRequest, body: String, asked: web::Data<AtomicU32>) -> HttpResponse {
    let authorization = req.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    // RFC 7617: base64("projects:s3cret").
    if authorization.as_deref() != Some("Basic cHJvamVjdHM6czNjcmV0") {
        return HttpResponse::Unauthorized().finish();
    }
    let mut fields: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    fields.sort();
    assert_eq!(fields[1], ("grant_type".into(), "client_credentials".into()));
    let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
    let token = format!("{}-{number}", fields[0].1);
    HttpResponse::Ok().json(serde_json::json!({"access_token": token, "token_type": "Bearer", "expires_in": 300}))
}

async fn token_server() -> (Served, web::Data<AtomicU32>) {
    let asked = web::Data::new(AtomicU32::new(0));
    let state = asked.clone();
    let server = serve(move |config| {
        config.app_data(state.clone()).service(web::resource("/internal/token").route(web::post().to(token_endpoint)));
    })
    .await;
    (server, asked)
}

#[tokio::test]
async fn service_tokens_are_fetched_once_per_audience_and_renewed_before_they_end() {
    let (server, asked) = token_server().await;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let credentials = ClientCredentials::new(&server.url("/"), "projects", Secret::new("s3cret".into()), clock.clone());
    let all = join_all((0..20).map(|_| credentials.token("users"))).await;
    assert!(all.into_iter().all(|token| token.unwrap().expose() == "users-1"));
    assert_eq!(credentials.token("memory").await.unwrap().expose(), "memory-2");
    clock.advance(TimeDelta::seconds(269));
    assert_eq!(credentials.token("users").await.unwrap().expose(), "users-1");
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(credentials.token("users").await.unwrap().expose(), "users-3");
    credentials.forget("users").await;
    assert_eq!(credentials.token("users").await.unwrap().expose(), "users-4");
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_wrong_secret_is_told_apart_from_an_absent_auth() {
    let (server, _) = token_server().await;
    let clock = Arc::new(SystemClock);
    let wrong = ClientCredentials::new(&server.url("/"), "projects", Secret::new("wrong".into()), clock.clone());
    assert!(matches!(wrong.token("users").await.unwrap_err(), CredentialsError::Refused(401)));
    let url = server.url("/");
    server.stop().await;
    let absent = ClientCredentials::new(&url, "projects", Secret::new("s3cret".into()), clock);
    assert!(matches!(absent.token("users").await.unwrap_err(), CredentialsError::Unavailable(_)));
}
