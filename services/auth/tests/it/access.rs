//! Who may do what: every operation of the document × {no token, each role, each service, nonsense}.

use auth::Auth;
use contracts::Role;
use kit::{NewId as _, RandomIds};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, Operation, operations};

use crate::support::{App, Membership, PASSWORD, Person, consumed, post, publish, register, service_token, start};

/// What a caller gets: without a token, as viewer, member, admin, owner, and as the services gateway, users, standalone.
#[derive(Clone, Copy)]
struct Row {
    method: &'static str,
    path: &'static str,
    body: fn(&Person) -> Option<Value>,
    nobody: u16,
    roles: [u16; 4],
    services: [u16; 3],
}

const fn row(method: &'static str, path: &'static str, nobody: u16, roles: u16, services: [u16; 3]) -> Row {
    Row { method, path, body: |_| None, nobody, roles: [roles; 4], services }
}

/// A route for people whose role has the scope.
const fn scoped(method: &'static str, path: &'static str, roles: [u16; 4]) -> Row {
    Row { method, path, body: |_| None, nobody: 401, roles, services: [401; 3] }
}

/// A route for people: whatever the role, it concerns one's own account.
const fn people(method: &'static str, path: &'static str, status: u16) -> Row {
    row(method, path, 401, status, [401; 3])
}

const fn with(row: Row, body: fn(&Person) -> Option<Value>) -> Row {
    Row { body, ..row }
}

/// In an order in which no row ends what the next one needs.
const MATRIX: &[Row] = &[
    with(row("POST", "/v1/auth/register", 422, 422, [422; 3]), |_| Some(json!({}))),
    with(row("POST", "/v1/auth/login", 401, 401, [401; 3]), |_| {
        Some(json!({"email": "nobody@example.org", "password": "x"}))
    }),
    with(row("POST", "/v1/auth/token/refresh", 401, 401, [401; 3]), |_| Some(json!({"refresh_token": "bo_rt_x"}))),
    row("GET", "/.well-known/jwks.json", 200, 200, [200; 3]),
    row("GET", "/.well-known/openid-configuration", 200, 200, [200; 3]),
    people("GET", "/v1/auth/me", 200),
    people("GET", "/v1/auth/sessions", 200),
    with(people("POST", "/v1/auth/switch-organization", 200), |who| Some(json!({"organization_id": who.org}))),
    with(people("POST", "/v1/auth/password/change", 204), |_| {
        Some(json!({"current_password": PASSWORD, "new_password": PASSWORD}))
    }),
    people("DELETE", "/v1/auth/sessions/{id}", 404),
    scoped("GET", "/v1/auth/api-keys", [403, 200, 200, 200]),
    with(scoped("POST", "/v1/auth/api-keys", [403, 201, 201, 201]), |_| Some(crate::support::keys::body())),
    scoped("GET", "/v1/auth/api-keys/{id}", [403, 404, 404, 404]),
    with(scoped("PATCH", "/v1/auth/api-keys/{id}", [403, 404, 404, 404]), |_| Some(json!({}))),
    scoped("DELETE", "/v1/auth/api-keys/{id}", [403, 404, 404, 404]),
    with(scoped("POST", "/v1/auth/api-keys/{id}/rotate", [403, 404, 404, 404]), |_| Some(json!({}))),
    // 401 for the gateway too: it may ask, and the key is nonsense.
    with(row("POST", "/internal/api-keys/exchange", 401, 401, [401, 403, 403]), |_| Some(json!({"key": "bo_live_x"}))),
    row("POST", "/internal/token", 401, 401, [401; 3]),
    row("GET", "/internal/revocations", 401, 401, [200, 200, 200]),
    row("GET", "/internal/snapshot/users", 401, 401, [403, 200, 200]),
    with(row("POST", "/internal/users/{id}/disable", 401, 401, [403, 404, 404]), |_| Some(json!({"reason": "admin"}))),
    // After this one the token is void, and the test signs in anew.
    people("POST", "/v1/auth/logout", 204),
    people("POST", "/v1/auth/logout-all", 204),
];

#[test]
fn no_route_is_left_out() {
    let mut rows: Vec<_> =
        MATRIX.iter().map(|row| Operation { method: row.method, path: row.path.to_owned() }).collect();
    rows.sort();
    assert_eq!(rows, operations::<Auth>());
    // And no route is left out of the document.
    let table = include_str!("../../src/api/mod.rs");
    assert_eq!(table.matches(".to(").count(), MATRIX.len());
}

/// Somebody with this role in an organization of others, where their session acts.
async fn in_role(app: &App, role: Role) -> Person {
    let person = register(app, role.as_str()).await;
    let membership = Membership::new(RandomIds.new(), person.user);
    consumed(app, publish(app, 1, membership.added(role)).await).await;
    switched(app, Person { org: membership.org, ..person }).await
}

async fn switched(app: &App, person: Person) -> Person {
    let body = json!({"organization_id": person.org});
    let answer: Value = post(app, "/v1/auth/switch-organization", Some(&person.access), &body).await.json(200);
    Person { access: answer["access_token"].as_str().unwrap().to_owned(), ..person }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds() {
    let app = start().await;
    let mut people = Vec::new();
    for role in Role::ALL {
        people.push((role, in_role(&app, role).await));
    }
    let mut services = Vec::new();
    for service in ["gateway", "users", "standalone"] {
        services.push((service, service_token(&app, service, "auth").await));
    }
    for row in MATRIX {
        let path = row.path.replace("{id}", &kit::Ids::uuid(&RandomIds).to_string());
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let send = async |token: Option<&str>, who: &Person| {
            let request = app.request(method.clone(), &path);
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let request = match (row.body)(who) {
                _ if row.path == "/internal/token" => {
                    request.form(&[("grant_type", "client_credentials"), ("audience", "auth")])
                }
                Some(body) => request.json(&body),
                None => request,
            };
            Answer::to(request).await
        };
        let name = format!("{} {}", row.method, row.path);
        let answer = send(None, &people[0].1).await;
        assert_eq!(answer.status, row.nobody, "{name} without a token: {}", answer.text());
        let answer = send(Some("not.a.token"), &people[0].1).await;
        assert_eq!(answer.status, row.nobody, "{name} with nonsense: {}", answer.text());
        for ((service, token), expected) in services.iter().zip(row.services) {
            let answer = send(Some(token), &people[0].1).await;
            assert_eq!(answer.status, expected, "{name} as {service}: {}", answer.text());
        }
        for ((role, person), expected) in people.iter_mut().zip(row.roles) {
            let answer = send(Some(&person.access), person).await;
            assert_eq!(answer.status, expected, "{name} as {role}: {}", answer.text());
            if row.path == "/v1/auth/logout" {
                *person =
                    switched(&app, Person { org: person.org, ..crate::support::log_in(&app, role.as_str()).await })
                        .await;
            }
        }
    }
}
