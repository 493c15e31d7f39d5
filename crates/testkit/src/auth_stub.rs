//! The auth service as other services see it: public keys, service tokens, revocations, and what it says of a person.
//!
//! A real local server that checks what it is sent. Tests of auth itself do not need it.

mod api_keys;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{Data, Form, get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contracts::{ApiKeyId, Scope, ScopeSet, UserId};
use kit::{
    Clock, RandomIds,
    auth::{Claims, JwkSet, ServiceClaims, SigningKey, sign},
};
use serde::Deserialize;
use serde_json::{Value, json};

use self::api_keys::ApiKeys;
use crate::{Actor, actor::id};

/// Seconds that a token lives, as in production.
const TOKEN_LIFE: i64 = 600;

/// The auth service as other services see it.
pub struct AuthStub {
    /// Its base URL.
    pub url: String,
    inner: Arc<Inner>,
    server: ServerHandle,
}

struct Inner {
    key: SigningKey,
    clock: Arc<dyn Clock>,
    people: Mutex<HashMap<UserId, Value>>,
    user_tokens: Mutex<HashMap<String, UserId>>,
    /// The client of each, and the service that it is for.
    service_tokens: Mutex<HashMap<String, (String, String)>>,
    api_keys: ApiKeys,
}

impl AuthStub {
    /// Secret that every service has at the stub.
    pub const CLIENT_SECRET: &'static str = "secret of a service at the stub of auth";
    /// The issuer of its tokens.
    pub const ISSUER: &'static str = "https://brainops.test";

    /// Listens on a free port of its own.
    pub fn start(clock: Arc<dyn Clock>) -> Self {
        let inner = Arc::new(Inner {
            key: SigningKey::generate("stub-1", &RandomIds).expect("a key"),
            clock,
            people: Mutex::default(),
            user_tokens: Mutex::default(),
            service_tokens: Mutex::default(),
            api_keys: ApiKeys::default(),
        });
        let data = Data::from(Arc::clone(&inner));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/.well-known/jwks.json", get().to(jwks))
                .route("/internal/token", post().to(token))
                .route("/internal/revocations", get().to(revocations))
                .route("/internal/api-keys/exchange", post().to(api_keys::exchange))
                .route("/v1/auth/me", get().to(me))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        kit::tasks::spawn("testkit.auth_stub", running);
        Self { url, inner, server: handle }
    }

    /// What `GET /v1/auth/me` answers about somebody.
    pub fn remember(&self, user: UserId, me: Value) {
        self.inner.people.lock().expect("no panic").insert(user, me);
    }

    /// An access token as auth would issue it now.
    pub fn token(&self, actor: &Actor) -> String {
        self.token_with(actor, |_| {})
    }

    /// An access token with some of its claims bent.
    pub fn token_with(&self, actor: &Actor, bend: impl FnOnce(&mut Claims)) -> String {
        self.inner.user_token(actor, bend)
    }

    /// An API key of somebody, as auth would show it once. What it allows is held within the role when it is exchanged.
    pub fn api_key(&self, actor: &Actor, scopes: &[Scope]) -> String {
        self.inner.api_keys.make(actor, scopes)
    }

    /// From now on the key is not exchanged any more. Publishing the event is the test's own matter.
    ///
    /// # Panics
    /// When the stub never made the key.
    pub fn revoke_api_key(&self, key: &str) {
        self.inner.api_keys.revoke(key);
    }

    /// From now on the key gives these scopes, as after a `PATCH`.
    ///
    /// # Panics
    /// When the stub never made the key.
    pub fn change_api_key(&self, key: &str, scopes: &[Scope]) {
        self.inner.api_keys.change(key, scopes);
    }

    /// Every exchange of a key so far, refused ones included: which key it said to be (`None` for a malformed one), and
    /// the client's address.
    pub fn exchanges(&self) -> Vec<(Option<ApiKeyId>, Option<IpAddr>)> {
        self.inner.api_keys.exchanges()
    }

    /// How long each exchange takes from now on, so that callers can meet while one is under way.
    pub fn slow_exchanges(&self, by: Duration) {
        self.inner.api_keys.slow(by);
    }

    /// A token for `client` to call `audience`.
    pub fn service_token(&self, client: &str, audience: &str) -> String {
        self.inner.service_token(client, audience)
    }

    /// Ends the server at once: auth is down.
    pub async fn stop(&self) {
        self.server.stop(false).await;
    }
}

impl Drop for AuthStub {
    fn drop(&mut self) {
        // Dropping the future is fine: the command is sent when it is made.
        drop(self.server.stop(false));
    }
}

impl Inner {
    fn user_token(&self, actor: &Actor, bend: impl FnOnce(&mut Claims)) -> String {
        let now = self.clock.now().timestamp();
        let mut claims = Claims {
            iss: AuthStub::ISSUER.into(),
            aud: "brainops".into(),
            sub: actor.user,
            org: actor.org,
            sid: actor.session,
            role: actor.role,
            scope: actor.role.scopes().iter().copied().collect::<ScopeSet>(),
            amr: vec!["pwd".into()],
            auth_time: now,
            iat: now,
            nbf: now,
            exp: now + TOKEN_LIFE,
            jti: id(),
            api_key: None,
        };
        bend(&mut claims);
        let token = sign(&claims, &self.key).expect("a token");
        self.user_tokens.lock().expect("no panic").insert(token.clone(), actor.user);
        token
    }

    fn service_token(&self, client: &str, audience: &str) -> String {
        let now = self.clock.now().timestamp();
        let claims = ServiceClaims {
            iss: AuthStub::ISSUER.into(),
            aud: audience.into(),
            sub: client.into(),
            client: client.into(),
            iat: now,
            nbf: now,
            exp: now + TOKEN_LIFE,
            jti: id(),
        };
        let token = sign(&claims, &self.key).expect("a token");
        let both = (client.to_owned(), audience.to_owned());
        self.service_tokens.lock().expect("no panic").insert(token.clone(), both);
        token
    }
}

async fn jwks(stub: Data<Inner>) -> HttpResponse {
    HttpResponse::Ok().json(JwkSet { keys: vec![stub.key.jwk()] })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    grant_type: String,
    audience: String,
}

async fn token(stub: Data<Inner>, request: HttpRequest, form: Form<TokenRequest>) -> HttpResponse {
    assert_eq!(form.grant_type, "client_credentials");
    let basic = header(&request, "authorization").and_then(|value| value.strip_prefix("Basic ").map(str::to_owned));
    let pair = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    match pair.as_deref().and_then(|pair| pair.split_once(':')) {
        // RFC 6749 section 2.3.1 has both form-urlencoded inside; our secrets survive either way.
        Some((client, secret)) if secret.replace('+', " ").replace("%20", " ") == AuthStub::CLIENT_SECRET => {
            let token = stub.service_token(client, &form.audience);
            HttpResponse::Ok().json(json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFE}))
        }
        _ => HttpResponse::Unauthorized().finish(),
    }
}

async fn revocations(stub: Data<Inner>, request: HttpRequest) -> HttpResponse {
    let token = bearer(&request).unwrap_or_default();
    if stub.service_tokens.lock().expect("no panic").contains_key(&token) {
        HttpResponse::Ok().json(json!({"items": []}))
    } else {
        HttpResponse::Unauthorized().finish()
    }
}

async fn me(stub: Data<Inner>, request: HttpRequest) -> HttpResponse {
    let token = bearer(&request).unwrap_or_default();
    let Some(user) = stub.user_tokens.lock().expect("no panic").get(&token).copied() else {
        return HttpResponse::Unauthorized().finish();
    };
    match stub.people.lock().expect("no panic").get(&user) {
        Some(me) => HttpResponse::Ok().json(me),
        None => HttpResponse::NotFound().finish(),
    }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    header(request, "authorization")?.strip_prefix("Bearer ").map(str::to_owned)
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name)?.to_str().ok().map(str::to_owned)
}
