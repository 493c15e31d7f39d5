//! Who may do what: every operation of the document × {no token, each role, another tenant}.

use contracts::{ApiKeyId, OrgId, Role};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Operation, TestApp, operations};
use users::Users;

use crate::support::{join, welcomed};

struct Row {
    method: &'static str,
    path: &'static str,
    body: fn() -> Option<Value>,
    /// What viewer, member, admin and owner of the organization get.
    roles: [u16; 4],
    /// What somebody from another organization gets.
    stranger: u16,
}

const MATRIX: &[Row] = &[
    Row { method: "GET", path: "/v1/users/me", body: || None, roles: [200; 4], stranger: 200 },
    Row { method: "PATCH", path: "/v1/users/me", body: || Some(json!({})), roles: [200; 4], stranger: 200 },
    Row { method: "GET", path: "/v1/organizations", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/organizations",
        body: || Some(json!({"name": "New"})),
        roles: [201; 4],
        stranger: 201,
    },
    Row { method: "GET", path: "/v1/organizations/{id}", body: || None, roles: [200; 4], stranger: 404 },
    Row { method: "GET", path: "/v1/organizations/{id}/members", body: || None, roles: [200; 4], stranger: 404 },
];

#[test]
fn no_route_is_left_out() {
    let mut rows: Vec<_> =
        MATRIX.iter().map(|row| Operation { method: row.method, path: row.path.to_owned() }).collect();
    rows.sort();
    assert_eq!(rows, operations::<Users>());
    // And no route is left out of the document.
    let table = include_str!("../../src/api/mod.rs");
    assert_eq!(table.matches(".to(").count(), MATRIX.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds() {
    let app = TestApp::<Users>::start().await;
    let owner = welcomed(&app, "Olive").await;
    let stranger = welcomed(&app, "Sam").await;
    let mut actors = Vec::new();
    for (role, name) in [(Role::Viewer, "Vic"), (Role::Member, "Mel"), (Role::Admin, "Ann")] {
        let person = welcomed(&app, name).await;
        actors.push(join(&app, &person, owner.org, role).await);
    }
    actors.push(owner);

    for row in MATRIX {
        let path = row.path.replace("{id}", &owner.org.to_string());
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let body = (row.body)();
        let send = |actor: Option<&Actor>| {
            let token = actor.map(|actor| app.auth.token(actor));
            let (app, method, path, body) = (&app, method.clone(), &path, &body);
            async move { app.send(method, path, token.as_deref(), body.as_ref()).await }
        };
        let nobody = send(None).await;
        assert_eq!(nobody.problem(401), "unauthenticated", "{} {}", row.method, row.path);
        assert!(nobody.header("www-authenticate").is_some());
        for (actor, expected) in actors.iter().zip(row.roles) {
            let answer = send(Some(actor)).await;
            assert_eq!(answer.status, expected, "{} {} as {}: {}", row.method, row.path, actor.role, answer.text());
        }
        let answer = send(Some(&stranger)).await;
        assert_eq!(answer.status, row.stranger, "{} {} as a stranger: {}", row.method, row.path, answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_is_refused() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let token = app.auth.token_with(&ada, |claims| claims.scope = "users:read".parse().unwrap());
    let answer = app.send(Method::PATCH, "/v1/users/me", Some(&token), Some(&json!({}))).await;
    assert_eq!(answer.problem(403), "insufficient_scope");
    for path in ["/v1/organizations".to_owned(), format!("/v1/organizations/{}/members", ada.org)] {
        assert_eq!(app.send(Method::GET, &path, Some(&token), None).await.problem(403), "insufficient_scope");
    }
    let answer = app.send(Method::POST, "/v1/organizations", Some(&token), Some(&json!({"name": "x"}))).await;
    assert_eq!(answer.problem(403), "insufficient_scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_in_the_token_does_not_outlive_the_membership() {
    let app = TestApp::<Users>::start().await;
    let (ada, bob) = (welcomed(&app, "Ada").await, welcomed(&app, "Bob").await);
    // Signed by auth, but the membership behind it is gone: the organization's own rows decide.
    let claimed = bob.in_org(ada.org, Role::Owner);
    let path = format!("/v1/organizations/{}/members", ada.org);
    assert_eq!(app.get(&path, &claimed).await.problem(404), "organization_not_found");
}

/// A token as auth gives it to the gateway for one of the actor's keys.
fn key_token(app: &TestApp<Users>, actor: &Actor) -> String {
    app.auth.token_with(actor, |claims| claims.api_key = Some(ApiKeyId::from_uuid(claims.jti)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sees_its_own_organization_and_no_other_of_its_owner() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let other: Value = app.post("/v1/organizations", &ada, &json!({"name": "Other"})).await.json(201);
    let other: OrgId = other["id"].as_str().unwrap().parse().unwrap();
    for (own, foreign) in [(ada.org, other), (other, ada.org)] {
        let token = key_token(&app, &ada.in_org(own, Role::Owner));
        let get = async |path: String| app.send(Method::GET, &path, Some(&token), None).await;
        let list: Value = get("/v1/organizations".to_owned()).await.json(200);
        let seen: Vec<_> = list["items"].as_array().unwrap().iter().map(|org| &org["id"]).collect();
        assert_eq!(seen, [&json!(own)]);
        assert_eq!(list["next_cursor"], Value::Null);
        for below in ["", "/members"] {
            assert_eq!(get(format!("/v1/organizations/{own}{below}")).await.status, 200, "{below}");
            let refused = get(format!("/v1/organizations/{foreign}{below}")).await;
            assert_eq!(refused.problem(404), "organization_not_found", "{below}");
        }
    }
    // A person looks into each of theirs, whichever their token is for.
    assert_eq!(app.get(&format!("/v1/organizations/{other}"), &ada).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_founds_no_organization_and_may_change_its_owners_profile() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let token = key_token(&app, &ada);
    let answer = app.send(Method::POST, "/v1/organizations", Some(&token), Some(&json!({"name": "x"}))).await;
    assert_eq!(answer.problem(403), "person_required");
    let list: Value = app.get("/v1/organizations", &ada).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let renamed = app.send(Method::PATCH, "/v1/users/me", Some(&token), Some(&json!({"display_name": "A"}))).await;
    assert_eq!(renamed.status, 200);
}
