//! Who may do what: every operation of the document × {no token, each role, another tenant}.

use ai::Ai;
use contracts::Role;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Operation, operations};

use crate::support::{Stage, model};

/// What a row's request is about.
struct Subject {
    model: String,
    provider: String,
    quota: String,
}

impl Subject {
    /// The id that belongs into a path.
    fn of(&self, path: &str) -> &str {
        match path.split('/').nth(3) {
            Some("providers") => &self.provider,
            Some("quotas") => &self.quota,
            _ => &self.model,
        }
    }
}

struct Row {
    method: &'static str,
    path: &'static str,
    body: fn(&Subject) -> Option<Value>,
    /// What viewer, member, admin and owner of the organization get, one after the other.
    roles: [u16; 4],
    /// What the owner of another organization gets.
    stranger: u16,
}

const fn row(
    method: &'static str,
    path: &'static str,
    body: fn(&Subject) -> Option<Value>,
    roles: [u16; 4],
    stranger: u16,
) -> Row {
    Row { method, path, body, roles, stranger }
}

/// Nobody has this model, so whoever may call models at all gets 404.
const CALLS: [u16; 4] = [403, 404, 404, 404];

/// In this order: what is deleted is needed before.
const MATRIX: &[Row] = &[
    row("POST", "/v1/chat/completions", |_| Some(chat()), CALLS, 404),
    row("POST", "/v1/responses", |_| Some(json!({"model": "none", "input": "x"})), CALLS, 404),
    row("POST", "/v1/messages", |_| Some(message()), CALLS, 404),
    row(
        "POST",
        "/v1/messages/count_tokens",
        |_| Some(json!({"model": "none", "messages": message()["messages"]})),
        CALLS,
        404,
    ),
    row("POST", "/v1/embeddings", |_| Some(json!({"model": "none", "input": "x"})), CALLS, 404),
    row("GET", "/v1/models", |_| None, [200; 4], 200),
    row("GET", "/v1/models/{model}", |_| None, [404; 4], 404),
    row("GET", "/v1/ai/models", |_| None, [200; 4], 200),
    row("POST", "/v1/ai/models", |subject| Some(model(&unique(), &subject.provider)), [403, 403, 201, 201], 422),
    row("GET", "/v1/ai/models/{id}", |_| None, [200; 4], 404),
    row("PATCH", "/v1/ai/models/{id}", |_| Some(json!({})), [403, 403, 200, 200], 404),
    row("DELETE", "/v1/ai/models/{id}", |_| None, [403, 403, 204, 204], 404),
    row("GET", "/v1/ai/providers", |_| None, [403, 403, 200, 200], 200),
    row("POST", "/v1/ai/providers", |_| Some(json!({"name": unique(), "kind": "openai"})), [403, 403, 201, 201], 201),
    row("GET", "/v1/ai/providers/{id}", |_| None, [403, 403, 200, 200], 404),
    row("PATCH", "/v1/ai/providers/{id}", |_| Some(json!({})), [403, 403, 200, 200], 404),
    row("POST", "/v1/ai/providers/{id}/test", |_| Some(json!({})), [403, 403, 200, 200], 404),
    // The models that were made above still need it.
    row("DELETE", "/v1/ai/providers/{id}", |_| None, [403, 403, 409, 409], 404),
    row("GET", "/v1/ai/quotas", |_| None, [200; 4], 200),
    row("POST", "/v1/ai/quotas", |_| Some(budget()), [403, 403, 201, 201], 201),
    row("GET", "/v1/ai/quotas/{id}", |_| None, [200; 4], 404),
    row("GET", "/v1/ai/quotas/{id}/subjects", |_| None, [403, 403, 200, 200], 404),
    row("PATCH", "/v1/ai/quotas/{id}", |_| Some(json!({})), [403, 403, 200, 200], 404),
    row("DELETE", "/v1/ai/quotas/{id}", |_| None, [403, 403, 204, 204], 404),
    row("GET", "/v1/ai/usage", |_| None, [200; 4], 200),
    row("GET", "/v1/ai/usage/records", |_| None, [200; 4], 200),
    row("GET", "/v1/ai/usage/forecast", |_| None, [200; 4], 200),
    // Between services; no user's token opens these.
    row("GET", "/internal/organizations/{organization}/completions/{id}/turn", |_| None, [401; 4], 401),
    row("DELETE", "/internal/organizations/{organization}/completions/{id}/turn", |_| None, [401; 4], 401),
];

fn budget() -> Value {
    json!({"subject": "organization", "model": unique(), "window": "month", "metric": "requests", "limit": 5})
}

fn chat() -> Value {
    json!({"model": "none", "messages": [{"role": "user", "content": "x"}]})
}

fn message() -> Value {
    json!({"model": "none", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]})
}

fn unique() -> String {
    format!("x-{}", Actor::new(Role::Owner).user)
}

#[test]
fn no_route_is_left_out() {
    let mut rows: Vec<_> =
        MATRIX.iter().map(|row| Operation { method: row.method, path: row.path.to_owned() }).collect();
    rows.sort();
    assert_eq!(rows, operations::<Ai>());
    // And no route is left out of the document.
    let table = include_str!("../../src/api/mod.rs");
    assert_eq!(table.matches(".to(").count(), MATRIX.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds() {
    let stage = Stage::start().await;
    let owner = Actor::new(Role::Owner);
    let stranger = Actor::new(Role::Owner);
    let actors = [Role::Viewer, Role::Member, Role::Admin].map(|role| owner.colleague(role));
    let actors = [actors.as_slice(), &[owner]].concat();
    // A name that nobody has: nothing leaves this machine.
    let provider = stage.provider(&owner, &json!({"base_url": "https://provider.invalid/v1"})).await;
    let made: Value = stage.app.post("/v1/ai/models", &owner, &model("m", &provider)).await.json(201);
    let quota: Value = stage.app.post("/v1/ai/quotas", &owner, &budget()).await.json(201);
    let id = |view: &Value| view["id"].as_str().unwrap().to_owned();
    let subject = Subject { model: id(&made), provider, quota: id(&quota) };

    for row in MATRIX {
        let path = row
            .path
            .replace("{id}", subject.of(row.path))
            .replace("{model}", "none")
            .replace("{organization}", &unique()[2..]);
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let send = |actor: Option<&Actor>| {
            let token = actor.map(|actor| stage.app.auth.token(actor));
            let (app, method, path, body) = (&stage.app, method.clone(), &path, (row.body)(&subject));
            async move { app.send(method, path, token.as_deref(), body.as_ref()).await }
        };
        let nobody = send(None).await;
        assert_eq!(nobody.status, 401, "{} {}: {}", row.method, row.path, nobody.text());
        assert!(nobody.header("www-authenticate").is_some());
        let answer = send(Some(&stranger)).await;
        assert_eq!(answer.status, row.stranger, "{} {} as a stranger: {}", row.method, row.path, answer.text());
        for (actor, expected) in actors.iter().zip(row.roles) {
            let answer = send(Some(actor)).await;
            assert_eq!(answer.status, expected, "{} {} as {}: {}", row.method, row.path, actor.role, answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_is_refused() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Owner);
    let token = stage.app.auth.token_with(&ann, |claims| claims.scope = "ai:read".parse().unwrap());
    let id = || unique()[2..].to_owned();
    let subject = Subject { model: id(), provider: id(), quota: id() };
    for row in MATRIX.iter().filter(|row| row.roles[0] == 403) {
        let path = row.path.replace("{id}", &subject.model);
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let answer = stage.app.send(method, &path, Some(&token), (row.body)(&subject).as_ref()).await;
        assert_eq!(answer.status, 403, "{} {}: {}", row.method, row.path, answer.text());
        assert!(answer.text().contains("scope"), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operator_nobody_changes_what_belongs_to_all() {
    let app = testkit::TestApp::<Ai>::start().await;
    let body = json!({"name": "p", "kind": "openai", "scope": "global"});
    for role in Role::ALL {
        let answer = app.post("/v1/ai/providers", &Actor::new(role), &body).await;
        let code = if role >= Role::Admin { "operator_required" } else { "insufficient_scope" };
        assert_eq!(answer.problem(403), code);
    }
}
