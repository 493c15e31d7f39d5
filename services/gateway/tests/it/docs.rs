//! The documentation that the gateway serves.

use serde_json::{Value, json};

use crate::support::{App, Backend};

fn operation(id: &str, schema: &str) -> Value {
    json!({ "operationId": id, "summary": "s", "responses": { "200": { "description": "d", "content": { "application/json": {
        "schema": { "$ref": format!("#/components/schemas/{schema}") } } } } } })
}

fn auth_document() -> Value {
    json!({
        "openapi": "3.1.0", "info": { "title": "auth", "version": "1" },
        "paths": { "/v1/auth/sessions": { "get": operation("list", "Page") }, "/internal/token": { "post": operation("token", "Secret") } },
        "components": { "schemas": { "Page": { "type": "object" }, "Secret": { "type": "string" } } },
    })
}

fn users_document() -> Value {
    json!({
        "openapi": "3.1.0", "info": { "title": "users", "version": "1" },
        "paths": { "/v1/users/me": { "get": operation("me", "Page") } },
        "components": { "schemas": { "Page": { "type": "array" } } },
    })
}

async fn described(app: &App, path: &str) -> Value {
    for _ in 0..100 {
        let document: Value = app.get_anonymously("/openapi.json").await.json(200);
        if document["paths"].get(path).is_some() {
            return document;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{path} is never described");
}

#[tokio::test]
async fn one_description_of_all_services() {
    let (users, auth) = (Backend::start(), Backend::start());
    auth.describe(auth_document());
    users.describe(users_document());
    let app = App::builder().auth(&auth).users(&[&users]).start().await;
    described(&app, "/v1/users/me").await;
    let document = described(&app, "/v1/auth/sessions").await;
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    assert_eq!(document["servers"], json!([{ "url": testkit::AuthStub::ISSUER }]));
    assert!(document["paths"].get("/openapi.json").is_some());
    assert!(!document.to_string().contains("internal"), "what is inside is not described");
    assert_eq!(document["components"]["schemas"]["Page"]["type"], "object");
    assert_eq!(document["components"]["schemas"]["UsersPage"]["type"], "array");
    let mut ids: Vec<_> =
        operations(&document).map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "operation ids are unique: {ids:?}");
    assert!(operations(&document).all(|operation| operation["summary"].is_string()), "every operation has a summary");
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
}

#[tokio::test]
async fn what_a_service_said_stays_when_it_is_gone() {
    let (users, auth) = (Backend::start(), Backend::start());
    auth.describe(auth_document());
    users.describe(users_document());
    let app = App::builder().auth(&auth).users(&[&users]).start().await;
    described(&app, "/v1/users/me").await;
    users.stop().await;
    app.ready_without(&["users"]).await;
    described(&app, "/v1/users/me").await;
}

#[tokio::test]
async fn a_service_that_is_down_does_not_keep_the_others_from_being_described() {
    let auth = Backend::start();
    auth.describe(auth_document());
    let gone = "127.0.0.1:1".parse().unwrap();
    let app = App::builder().auth(&auth).users_at(&[(gone, gone)]).start().await;
    described(&app, "/v1/auth/sessions").await;
}

#[tokio::test]
async fn the_docs_can_be_browsed_without_the_internet() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let redirect = app.get_anonymously("/docs").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("/docs/")));
    let page = app.get_anonymously("/docs/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    let html = page.text();
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("src=\"//"), "{html}");
    assert!(!html.contains("<script>"), "an inline script would be blocked by the policy: {html}");
    // Everything that the page loads is here.
    let assets: Vec<&str> =
        html.split('"').filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end))).collect();
    assert!(assets.len() >= 5, "{assets:?}");
    for asset in assets {
        let answer = app.get_anonymously(&format!("/docs/{}", asset.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert!(!answer.body.is_empty(), "{asset}");
    }
    let setup = app.get_anonymously("/docs/swagger-initializer.js").await.text();
    assert!(setup.contains("\"/openapi.json\"") && setup.contains("\"validatorUrl\": \"none\""), "{setup}");
    assert!(!setup.contains("://"), "{setup}");
    assert_eq!(app.get_anonymously("/docs/nothing.js").await.problem(404), "not_found");
}

#[tokio::test]
async fn every_problem_leads_to_its_page() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for path in ["/nowhere", "/v1/users/me", "/v1/users/%2f"] {
        let problem = app.get_anonymously(path).await;
        let kind = serde_json::from_slice::<Value>(&problem.body).unwrap()["type"].as_str().unwrap().to_owned();
        let page = app.get_anonymously(&kind).await;
        assert_eq!(page.status, 200, "{kind}");
        assert!(page.header("content-type").unwrap().starts_with("text/html"));
        assert!(page.text().contains("<h1>"), "{}", page.text());
    }
    let index = app.get_anonymously("/docs/errors").await.text();
    assert!(index.contains("href=\"/docs/errors/upstream_unavailable\""), "{index}");
    assert_eq!(app.get_anonymously("/docs/errors/no_such_code").await.problem(404), "not_found");
    assert_eq!(app.get_anonymously("/docs/errors/style.css").await.status, 200);
}
