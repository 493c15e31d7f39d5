//! API keys of the stub, and their exchange.

use std::{collections::HashMap, net::IpAddr, sync::Mutex, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Data, Json},
};
use contracts::{ApiKeyId, Scope, ScopeSet, SessionId};
use kit::{
    RandomIds,
    auth::{ApiKeyEnvironment, ApiKeyText},
};
use serde::Deserialize;
use serde_json::json;

use super::{Inner, bearer};
use crate::{Actor, actor::id};

/// Seconds that an exchanged token lives, as in production.
const TOKEN_LIFE: i64 = 60;

#[derive(Default)]
pub(super) struct ApiKeys {
    /// By the whole text.
    keys: Mutex<HashMap<String, Key>>,
    exchanges: Mutex<Vec<(Option<ApiKeyId>, Option<IpAddr>)>>,
    delay: Mutex<Duration>,
}

#[derive(Clone, Copy)]
struct Key {
    id: ApiKeyId,
    owner: Actor,
    scopes: ScopeSet,
    revoked: bool,
}

impl ApiKeys {
    pub fn make(&self, owner: &Actor, scopes: &[Scope]) -> String {
        let key = Key { id: ApiKeyId::from_uuid(id()), owner: *owner, scopes: set(scopes), revoked: false };
        let text = ApiKeyText::generate(ApiKeyEnvironment::Test, key.id, &RandomIds).expose().to_owned();
        self.keys.lock().expect("no panic").insert(text.clone(), key);
        text
    }

    pub fn revoke(&self, text: &str) {
        self.keys.lock().expect("no panic").get_mut(text).expect("a key of the stub").revoked = true;
    }

    pub fn change(&self, text: &str, scopes: &[Scope]) {
        self.keys.lock().expect("no panic").get_mut(text).expect("a key of the stub").scopes = set(scopes);
    }

    pub fn exchanges(&self) -> Vec<(Option<ApiKeyId>, Option<IpAddr>)> {
        self.exchanges.lock().expect("no panic").clone()
    }

    pub fn slow(&self, by: Duration) {
        *self.delay.lock().expect("no panic") = by;
    }

    fn find(&self, text: &str) -> Option<Key> {
        self.keys.lock().expect("no panic").get(text).copied().filter(|key| !key.revoked)
    }
}

fn set(scopes: &[Scope]) -> ScopeSet {
    scopes.iter().collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    key: String,
    address: Option<IpAddr>,
}

/// Checks the caller and the body as auth does, and answers as auth does.
pub(super) async fn exchange(stub: Data<Inner>, request: HttpRequest, body: Json<Exchange>) -> HttpResponse {
    let caller = bearer(&request).and_then(|token| stub.service_tokens.lock().expect("no panic").get(&token).cloned());
    match caller {
        Some((client, audience)) if (client.as_str(), audience.as_str()) == ("gateway", "auth") => {}
        Some(_) => return problem(403, "service_not_allowed"),
        None => return problem(401, "invalid_token"),
    }
    let says = ApiKeyText::parse(&body.key).ok().map(|key| key.id());
    stub.api_keys.exchanges.lock().expect("no panic").push((says, body.address));
    let delay = *stub.api_keys.delay.lock().expect("no panic");
    tokio::time::sleep(delay).await;
    let Some(key) = stub.api_keys.find(&body.key) else { return problem(401, "invalid_api_key") };
    let token = stub.user_token(&key.owner, |claims| {
        claims.sid = SessionId::from_uuid(key.id.uuid());
        claims.scope = claims.scope.intersection(key.scopes);
        claims.amr = Vec::new();
        claims.exp = claims.iat + TOKEN_LIFE;
        claims.api_key = Some(key.id);
    });
    HttpResponse::Ok().json(json!({"access_token": token, "expires_in": TOKEN_LIFE, "api_key_id": key.id}))
}

fn problem(status: u16, code: &str) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).expect("a status");
    let body = json!({
        "type": format!("/docs/errors/{code}"),
        "title": code,
        "status": status.as_u16(),
        "detail": code,
        "instance": "/internal/api-keys/exchange",
        "code": code,
        "request_id": id(),
    });
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "application/problem+json")).body(body.to_string())
}
