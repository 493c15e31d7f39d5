//! Who may do what: every operation of the document x {no token, each role, another organization}.

use contracts::Role;
use memory::Memory;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Operation, operations};

use crate::{mem0, support::Stage};

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
    Row { method: "GET", path: "/v1/memory/sessions", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/memory/sessions",
        body: || Some(json!({})),
        roles: [403, 201, 201, 201],
        stranger: 201,
    },
    Row { method: "GET", path: "/v1/memory/sessions/{session}", body: || None, roles: [200; 4], stranger: 404 },
    Row {
        method: "PATCH",
        path: "/v1/memory/sessions/{session}",
        body: || Some(json!({"title": "Other"})),
        roles: [403, 200, 200, 200],
        stranger: 404,
    },
    Row {
        method: "POST",
        path: "/v1/memory/sessions/{session}/fork",
        body: || Some(json!({})),
        roles: [403, 201, 201, 201],
        stranger: 404,
    },
    Row {
        method: "GET",
        path: "/v1/memory/sessions/{session}/messages",
        body: || None,
        roles: [200; 4],
        stranger: 404,
    },
    Row {
        method: "POST",
        path: "/v1/memory/sessions/{session}/messages",
        body: || Some(json!({"messages": [{"role": "user", "content": "Hello"}]})),
        roles: [403, 201, 201, 201],
        stranger: 404,
    },
    Row {
        method: "POST",
        path: "/v1/memory/sessions/{session}/summarize",
        body: || Some(json!({"keep": true})),
        roles: [403, 200, 200, 200],
        stranger: 404,
    },
    Row { method: "GET", path: "/v1/memory/memories", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/memory/memories",
        body: || Some(json!({"text": "Likes tea", "user": null})),
        roles: [403, 201, 201, 201],
        stranger: 201,
    },
    Row { method: "GET", path: "/v1/memory/memories/{memory}", body: || None, roles: [200; 4], stranger: 404 },
    Row {
        method: "PATCH",
        path: "/v1/memory/memories/{memory}",
        body: || Some(json!({"pinned": true})),
        roles: [403, 200, 200, 200],
        stranger: 404,
    },
    Row { method: "GET", path: "/v1/memory/memories/{memory}/history", body: || None, roles: [200; 4], stranger: 404 },
    Row {
        method: "POST",
        path: "/v1/memory/search",
        body: || Some(json!({"query": "tea", "scope": {"organization": true}})),
        roles: [200; 4],
        stranger: 200,
    },
    Row { method: "GET", path: "/v1/memory/collections", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/memory/collections",
        body: || Some(json!({"name": "Manuals"})),
        roles: [403, 201, 201, 201],
        stranger: 201,
    },
    Row { method: "GET", path: "/v1/memory/collections/{collection}", body: || None, roles: [200; 4], stranger: 404 },
    Row {
        method: "PATCH",
        path: "/v1/memory/collections/{collection}",
        body: || Some(json!({"name": "Other"})),
        roles: [403, 200, 200, 200],
        stranger: 404,
    },
    Row { method: "GET", path: "/v1/memory/documents", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/memory/documents",
        body: || Some(json!({"collection_id": "01890a5d-ac99-7000-8000-0000000000ff", "name": "a.txt", "text": "x"})),
        roles: [403, 404, 404, 404],
        stranger: 404,
    },
    Row { method: "GET", path: "/v1/memory/documents/{document}", body: || None, roles: [200; 4], stranger: 404 },
    Row {
        method: "POST",
        path: "/v1/memory/documents/{document}/reindex",
        body: || Some(json!({})),
        roles: [403, 202, 202, 202],
        stranger: 404,
    },
    Row {
        method: "GET",
        path: "/v1/memory/documents/{document}/chunks",
        body: || None,
        roles: [200; 4],
        stranger: 404,
    },
    Row {
        method: "POST",
        path: "/v1/memory/memories/bulk",
        body: || Some(json!({"memories": [{"text": "Likes milk", "user": null}]})),
        roles: [403, 201, 201, 201],
        stranger: 201,
    },
    Row {
        method: "POST",
        path: "/v1/memory/context",
        body: || Some(json!({"query": "tea", "scope": {"organization": true}})),
        roles: [200; 4],
        stranger: 200,
    },
    Row {
        method: "POST",
        path: "/v1/memory/forget",
        body: || Some(json!({"scope": {"agent": "nobody"}})),
        roles: [403, 200, 200, 200],
        stranger: 200,
    },
    Row { method: "GET", path: "/v1/memory/export", body: || None, roles: [200; 4], stranger: 200 },
    Row { method: "GET", path: "/v1/memory/sessions/{session}/export", body: || None, roles: [200; 4], stranger: 404 },
    // Whoever may import is told that this is no file of lines.
    Row {
        method: "POST",
        path: "/v1/memory/import",
        body: || Some(json!({})),
        roles: [403, 415, 415, 415],
        stranger: 415,
    },
    Row { method: "GET", path: "/v1/memory/compat/mem0/v1/ping/", body: || None, roles: [200; 4], stranger: 200 },
    Row {
        method: "POST",
        path: "/v1/memory/compat/mem0/v3/memories/add/",
        body: || Some(json!({"messages": [{"role": "user", "content": "Likes milk"}], "user_id": "me"})),
        roles: [403, 200, 200, 200],
        stranger: 200,
    },
    Row {
        method: "POST",
        path: "/v1/memory/compat/mem0/v1/memories/",
        body: || Some(json!({"messages": [{"role": "user", "content": "Likes milk"}], "user_id": "me"})),
        roles: [403, 200, 200, 200],
        stranger: 200,
    },
    Row {
        method: "GET",
        path: "/v1/memory/compat/mem0/v1/event/{nothing}/",
        body: || None,
        roles: [404; 4],
        stranger: 404,
    },
    Row {
        method: "POST",
        path: "/v1/memory/compat/mem0/v3/memories/search/",
        body: || Some(json!({"query": "milk", "filters": {"user_id": "me"}})),
        roles: [200; 4],
        stranger: 200,
    },
    Row {
        method: "POST",
        path: "/v1/memory/compat/mem0/v3/memories/",
        body: || Some(json!({"filters": {"user_id": "me"}})),
        roles: [200; 4],
        stranger: 200,
    },
    Row {
        method: "GET",
        path: "/v1/memory/compat/mem0/v1/memories/{memory}/",
        body: || None,
        roles: [200; 4],
        stranger: 404,
    },
    Row {
        method: "PUT",
        path: "/v1/memory/compat/mem0/v1/memories/{memory}/",
        body: || Some(json!({"text": "Likes coffee most"})),
        roles: [403, 200, 200, 200],
        stranger: 404,
    },
    Row {
        method: "GET",
        path: "/v1/memory/compat/mem0/v1/memories/{memory}/history/",
        body: || None,
        roles: [200; 4],
        stranger: 404,
    },
    Row { method: "GET", path: "/v1/memory/extractions/{nothing}", body: || None, roles: [404; 4], stranger: 404 },
    // Last, because they take away what the others look at.
    Row {
        method: "DELETE",
        path: "/v1/memory/compat/mem0/v1/memories/",
        body: || None,
        roles: [403, 400, 400, 400],
        stranger: 400,
    },
    Row {
        method: "DELETE",
        path: "/v1/memory/compat/mem0/v1/memories/{memory}/",
        body: || None,
        roles: [403, 200, 200, 200],
        stranger: 200,
    },
    Row {
        method: "DELETE",
        path: "/v1/memory/memories/{memory}",
        body: || None,
        roles: [403, 204, 204, 204],
        stranger: 204,
    },
    Row {
        method: "DELETE",
        path: "/v1/memory/documents/{document}",
        body: || None,
        roles: [403, 204, 204, 204],
        stranger: 204,
    },
    Row {
        method: "DELETE",
        path: "/v1/memory/collections/{collection}",
        body: || None,
        roles: [403, 204, 204, 204],
        stranger: 204,
    },
    Row {
        method: "DELETE",
        path: "/v1/memory/sessions/{session}",
        body: || None,
        roles: [403, 204, 204, 204],
        stranger: 204,
    },
];

#[test]
fn no_route_is_left_out() {
    let path = |row: &Row| {
        row.path
            .replace("{session}", "{id}")
            .replace("{memory}", "{id}")
            .replace("{collection}", "{id}")
            .replace("{document}", "{id}")
            .replace("{nothing}", "{id}")
    };
    let mut rows: Vec<_> = MATRIX.iter().map(|row| Operation { method: row.method, path: path(row) }).collect();
    rows.sort();
    assert_eq!(rows, operations::<Memory>());
    // And no route is left out of the document.
    let tables = [include_str!("../../src/api/mod.rs"), include_str!("../../src/api/mem0/mod.rs")];
    assert_eq!(tables.map(|table| table.matches(".to(").count()).iter().sum::<usize>(), MATRIX.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds() {
    let stage = Stage::start().await;
    let app = &stage.app;
    let owner = Actor::new(Role::Owner);
    let stranger = Actor::new(Role::Owner);
    let actors = [Role::Viewer, Role::Member, Role::Admin].map(|role| owner.colleague(role)).into_iter().chain([owner]);
    let actors: Vec<Actor> = actors.collect();
    // Shared, so that roles alone decide.
    let session = stage.session(&owner, &json!({"user": null})).await;
    let memory = stage.remember(&owner, "Likes coffee", &json!({"user": null})).await;
    let collection = stage.collection(&owner, "Handbooks", &json!({"user": null})).await;
    let document = stage.indexed_text(&owner, &collection, "The lamp is red").await;
    for row in MATRIX {
        let path = row.path.replace("/v1/memory/sessions/{session}", &session).replace("{memory}", &memory);
        let path = path.replace("/v1/memory/documents/{document}", &document).replace("{collection}", &collection);
        let path = path.replace("{nothing}", "01890a5d-ac99-7000-8000-0000000000ff");
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let body = (row.body)();
        let nobody = app.send(method.clone(), &path, None, body.as_ref()).await;
        let code = if path.starts_with(mem0::BASE) { mem0::error(&nobody, 401).0 } else { nobody.problem(401) };
        assert_eq!(code, "unauthenticated", "{} {}", row.method, row.path);
        // The stranger first: what the others delete is gone for everybody.
        let expected = [(&stranger, row.stranger)].into_iter().chain(actors.iter().zip(row.roles));
        for (actor, status) in expected {
            let answer = app.send(method.clone(), &path, Some(&app.auth.token(actor)), body.as_ref()).await;
            assert_eq!(answer.status, status, "{} {} as {}: {}", row.method, row.path, actor.role, answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleagues_memories_do_not_exist() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let boss = ada.colleague(Role::Owner);
    let session = stage.session(&ada, &json!({})).await;
    stage.say(&session, &ada, &["My salary is secret"]).await;
    let memory = stage.remember(&ada, "Earns a secret salary", &json!({})).await;
    for path in [session.clone(), format!("{session}/messages"), format!("/v1/memory/memories/{memory}")] {
        assert_eq!(stage.app.get(&path, &ada).await.status, 200, "{path}");
        assert_eq!(stage.app.get(&path, &boss).await.status, 404, "{path}");
    }
    for list in ["/v1/memory/sessions", "/v1/memory/memories"] {
        assert_eq!(stage.app.get(list, &boss).await.json::<Value>(200)["items"], json!([]), "{list}");
        assert_eq!(stage.app.get(list, &ada).await.json::<Value>(200)["items"].as_array().unwrap().len(), 1, "{list}");
    }
    stage.embedded(&ada, &["My salary is secret", "Earns a secret salary"]).await;
    assert_eq!(stage.found(&boss, "secret salary").await, [""; 0]);
    let asked = json!({"query": "salary", "scope": {"user": ada.user}});
    assert_eq!(stage.app.post("/v1/memory/search", &boss, &asked).await.problem(403), "not_yours");
    let planted = json!({"text": "Owes the boss money", "user": ada.user});
    assert_eq!(stage.app.post("/v1/memory/memories", &boss, &planted).await.problem(403), "not_yours");
    assert_eq!(stage.delete(&session, &boss).await.status, 204);
    assert_eq!(stage.app.get(&session, &ada).await.status, 200, "nobody else's to forget");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applications_users_are_for_admins_and_apart_from_each_other() {
    let stage = Stage::start().await;
    let admin = Actor::new(Role::Admin);
    let member = admin.colleague(Role::Member);
    stage.remember(&admin, "Prefers green lamps", &json!({"user": "customer-7"})).await;
    stage.remember(&admin, "Prefers red lamps", &json!({"user": "customer-8"})).await;
    let of = |user: &str| json!({"scope": {"user": user}});
    let found = stage.search_with(&admin, "Which lamps?", &of("customer-7")).await;
    assert_eq!(
        found["hits"].as_array().unwrap().iter().map(|hit| &hit["text"]).collect::<Vec<_>>(),
        ["Prefers green lamps"]
    );
    assert_eq!(stage.found(&member, "lamps").await, [""; 0]);
    let asked = json!({"query": "lamps", "scope": {"user": "customer-7"}});
    assert_eq!(stage.app.post("/v1/memory/search", &member, &asked).await.problem(403), "not_yours");
}
