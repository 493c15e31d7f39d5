//! Who may do what: every operation of the document x {no token, each role, another organization}.

use contracts::Role;
use reqwest::Method;
use serde_json::{Value, json};
use specimen::Specimen;
use testkit::{Actor, Operation, TestApp, operations};

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
    Row { method: "GET", path: "/v1/widgets", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/widgets",
        body: || Some(json!({"name": "New"})),
        roles: [403, 201, 201, 201],
        stranger: 201,
    },
    Row { method: "GET", path: "/v1/widgets/{id}", body: || None, roles: [200; 4], stranger: 404 },
];

#[test]
fn no_route_is_left_out() {
    let operation = |row: &Row| Operation { method: row.method, path: row.path.to_owned() };
    let mut rows: Vec<_> = MATRIX.iter().map(operation).collect();
    rows.sort();
    assert_eq!(rows, operations::<Specimen>());
    // And no route is left out of the document.
    let table = include_str!("../../src/api/mod.rs");
    assert_eq!(table.matches(".to(").count(), MATRIX.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds() {
    let app = TestApp::<Specimen>::start().await;
    let owner = Actor::new(Role::Owner);
    let stranger = Actor::new(Role::Owner);
    let actors = [Role::Viewer, Role::Member, Role::Admin].map(|role| owner.colleague(role)).into_iter().chain([owner]);
    let actors: Vec<Actor> = actors.collect();
    let widget: Value = app.post("/v1/widgets", &owner, &json!({"name": "First"})).await.json(201);
    for row in MATRIX {
        let path = row.path.replace("{id}", widget["id"].as_str().unwrap());
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let body = (row.body)();
        let nobody = app.send(method.clone(), &path, None, body.as_ref()).await;
        assert_eq!(nobody.problem(401), "unauthenticated", "{} {}", row.method, row.path);
        let expected = actors.iter().zip(row.roles).chain([(&stranger, row.stranger)]);
        for (actor, status) in expected {
            let answer = app.send(method.clone(), &path, Some(&app.auth.token(actor)), body.as_ref()).await;
            assert_eq!(answer.status, status, "{} {} as {}: {}", row.method, row.path, actor.role, answer.text());
        }
    }
}
