//! Identity of callers over real HTTP: what a handler can and cannot get.
use std::sync::{Arc, Mutex};

use actix_web::{HttpResponse, web};
use contracts::{Role, Scope};
use kit::auth::{
    AccessToken, Claims, JwkSet, JwksSource, MaybePrincipal, Principal, ServiceClaims, ServicePrincipal, SigningKey,
    Verifier, VerifierConfig, sign,
};
use kit::{Clock, NewId, Problem, RandomIds, SystemClock};
use serde_json::{Value, json};

use crate::{
    http_support::{Served, Setup, client, problem, serve, serve_with},
    jwt_corpus::Published,
};

async fn me(principal: Principal) -> HttpResponse {
    let origin = principal.origin(&SystemClock);
    assert_eq!((origin.actor, origin.org), (Some(principal.user.uuid()), Some(principal.org)));
    HttpResponse::Ok().json(json!({
        "user": principal.user, "org": principal.org, "session": principal.session, "role": principal.role,
        "address": principal.address.map(|address| address.to_string()),
    }))
}

async fn write(principal: Principal) -> Result<HttpResponse, Problem> {
    principal.require(Scope::ProjectsWrite)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn maybe(MaybePrincipal(principal): MaybePrincipal) -> HttpResponse {
    HttpResponse::Ok().json(principal.is_some())
}

async fn internal(caller: ServicePrincipal) -> Result<HttpResponse, Problem> {
    caller.require(&["gateway"])?;
    Ok(HttpResponse::Ok().json(caller.service))
}

async fn passed_on(token: AccessToken) -> HttpResponse {
    assert!(!format!("{token:?}").contains(token.expose()));
    HttpResponse::Ok().json(token.expose())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/me").route(web::get().to(me)))
        .service(web::resource("/v1/write").route(web::post().to(write)))
        .service(web::resource("/v1/maybe").route(web::get().to(maybe)))
        .service(web::resource("/v1/passed-on").route(web::get().to(passed_on)))
        .service(web::resource("/internal/x").route(web::get().to(internal)));
}

struct Bench {
    key: SigningKey,
    verifier: Arc<Verifier>,
    server: Served,
}

impl Bench {
    async fn new() -> Self {
        let key = SigningKey::generate("key-1", &RandomIds).unwrap();
        let published = Arc::new(Published(Mutex::new(JwkSet { keys: vec![key.jwk()] })));
        let config =
            VerifierConfig::new("https://brainops.example", "brainops", "projects", JwksSource::Local(published));
        let verifier = Arc::new(Verifier::new(config, Arc::new(SystemClock)).unwrap());
        let setup = Setup { verifier: Some(Arc::clone(&verifier)), ..Setup::default() };
        Self { key, verifier, server: serve_with(setup, routes).await }
    }

    fn claims(role: Role) -> Claims {
        let now = SystemClock.now().timestamp();
        Claims {
            iss: "https://brainops.example".into(),
            aud: "brainops".into(),
            sub: RandomIds.new(),
            org: RandomIds.new(),
            sid: RandomIds.new(),
            role,
            scope: role.scopes().iter().collect(),
            amr: Vec::new(),
            auth_time: now,
            iat: now,
            nbf: now,
            exp: now + 600,
            jti: kit::Ids::uuid(&RandomIds),
            api_key: None,
        }
    }

    fn token(&self, role: Role) -> String {
        sign(&Self::claims(role), &self.key).unwrap()
    }

    fn service_token(&self, client: &str) -> String {
        let now = SystemClock.now().timestamp();
        let claims = ServiceClaims {
            iss: "https://brainops.example".into(),
            aud: "projects".into(),
            sub: client.into(),
            client: client.into(),
            iat: now,
            nbf: now,
            exp: now + 300,
            jti: kit::Ids::uuid(&RandomIds),
        };
        sign(&claims, &self.key).unwrap()
    }

    async fn get(&self, path: &str, authorization: Option<&str>) -> reqwest::Response {
        let mut request = client().get(self.server.url(path));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.send().await.unwrap()
    }
}

fn challenge(response: &reqwest::Response) -> String {
    response.headers()["www-authenticate"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let bench = Bench::new().await;
    let claims = Bench::claims(Role::Admin);
    let token = sign(&claims, &bench.key).unwrap();
    // The scheme compares without case (RFC 9110 section 11.1). Twice: judged, then remembered.
    for scheme in ["Bearer", "bearer"] {
        let response = bench.get("/v1/me", Some(&format!("{scheme} {token}"))).await;
        assert_eq!(
            response.json::<Value>().await.unwrap(),
            json!({"user": claims.sub, "org": claims.org, "session": claims.sid, "role": "admin", "address": "127.0.0.1"})
        );
    }
}

#[tokio::test]
async fn without_credentials_it_is_401_with_a_challenge() {
    let bench = Bench::new().await;
    for authorization in [None, Some("Basic dXNlcjpwYXNz"), Some("Bearer"), Some("")] {
        let response = bench.get("/v1/me", authorization).await;
        assert_eq!(response.status(), 401, "{authorization:?}");
        assert_eq!(challenge(&response), "Bearer realm=\"brainops\"");
        assert_eq!(problem(response).await["code"], "unauthenticated");
    }
}

#[tokio::test]
async fn with_bad_credentials_it_is_401_invalid_token() {
    let bench = Bench::new().await;
    let revoked = Bench::claims(Role::Owner);
    bench.verifier.deny_list().deny_session(revoked.sid, SystemClock.now() + chrono::TimeDelta::seconds(600));
    let expired = Claims { exp: 1, ..Bench::claims(Role::Owner) };
    for token in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        sign(&revoked, &bench.key).unwrap(),
        sign(&expired, &bench.key).unwrap(),
        bench.service_token("gateway"),
    ] {
        for path in ["/v1/me", "/v1/maybe"] {
            let response = bench.get(path, Some(&format!("Bearer {token}"))).await;
            assert_eq!(response.status(), 401, "{token}");
            assert!(challenge(&response).contains("error=\"invalid_token\""));
            assert_eq!(problem(response).await["code"], "invalid_token");
        }
    }
}

#[tokio::test]
async fn two_authorization_headers_are_400() {
    let bench = Bench::new().await;
    let token = format!("Bearer {}", bench.token(Role::Owner));
    let request =
        client().get(bench.server.url("/v1/me")).header("authorization", &token).header("authorization", &token);
    assert_eq!(request.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() {
    let bench = Bench::new().await;
    let post =
        async |role| client().post(bench.server.url("/v1/write")).bearer_auth(bench.token(role)).send().await.unwrap();
    assert_eq!(post(Role::Member).await.status(), 204);
    let refused = post(Role::Viewer).await;
    assert_eq!(refused.status(), 403);
    assert!(challenge(&refused).contains("error=\"insufficient_scope\", scope=\"projects:write\""));
    assert_eq!(problem(refused).await["code"], "insufficient_scope");
}

#[tokio::test]
async fn who_may_be_nobody_is_nobody_without_a_token() {
    let bench = Bench::new().await;
    assert!(!bench.get("/v1/maybe", None).await.json::<bool>().await.unwrap());
    let token = format!("Bearer {}", bench.token(Role::Viewer));
    assert!(bench.get("/v1/maybe", Some(&token)).await.json::<bool>().await.unwrap());
}

#[tokio::test]
async fn only_a_verified_token_can_be_passed_on() {
    let bench = Bench::new().await;
    let token = bench.token(Role::Viewer);
    let passed = bench.get("/v1/passed-on", Some(&format!("Bearer {token}"))).await;
    assert_eq!(passed.json::<String>().await.unwrap(), token);
    assert_eq!(bench.get("/v1/passed-on", None).await.status(), 401);
    assert_eq!(bench.get("/v1/passed-on", Some("Bearer a.b.c")).await.status(), 401);
}

#[tokio::test]
async fn internal_routes_take_service_tokens_of_the_right_service_only() {
    let bench = Bench::new().await;
    let get = async |token: String| bench.get("/internal/x", Some(&format!("Bearer {token}"))).await;
    assert_eq!(get(bench.service_token("gateway")).await.json::<String>().await.unwrap(), "gateway");
    assert_eq!(get(bench.service_token("users")).await.status(), 403);
    assert_eq!(get(bench.token(Role::Owner)).await.status(), 401);
    assert_eq!(bench.get("/internal/x", None).await.status(), 401);
}

#[tokio::test]
async fn a_service_without_a_verifier_lets_nobody_in() {
    let server = serve(routes).await;
    let response = client().get(server.url("/v1/me")).bearer_auth("a.b.c").send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(problem(response).await["code"], "internal_error");
}
