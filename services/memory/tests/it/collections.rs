//! Collections over HTTP.

use contracts::{Role, memory::v1::CollectionCreated};
use db::diesel::{RunQueryDsl as _, sql_query};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Answer};

use crate::support::{Stage, strings};

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_can_be_made_read_changed_and_listed() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let body = json!({"name": "Handbooks", "description": "Of our machines", "metadata": {"shelf": 3}});
    let made = stage.app.post("/v1/memory/collections", &ada, &body).await;
    let collection: Value = made.json(201);
    assert_eq!((&collection["name"], &collection["user"]), (&json!("Handbooks"), &json!(ada.user)));
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(stage.app.get(&path, &ada).await.json::<Value>(200), collection);
    let (envelope, created) = events.wait::<CollectionCreated>(|_| true).await;
    assert_eq!((json!(created.collection_id), envelope.sequence), (collection["id"].clone(), 1));

    let change = json!({"name": "Manuals", "description": null});
    let changed: Value = stage.app.patch(&path, &ada, &change).await.json(200);
    assert_eq!((&changed["name"], &changed["description"]), (&json!("Manuals"), &Value::Null));
    assert_eq!((&changed["metadata"], &changed["version"]), (&json!({"shelf": 3}), &json!(2)));
    let late = stage.app.request(Method::DELETE, &path).bearer_auth(stage.app.auth.token(&ada));
    assert_eq!(Answer::to(late.header("if-match", "\"1\"")).await.problem(412), "precondition_failed");

    for n in 0..3 {
        stage.collection(&ada, &format!("Number {n}"), &json!({})).await;
    }
    let page: Value = stage.app.get("/v1/memory/collections?limit=2", &ada).await.json(200);
    assert_eq!(strings(&page["items"], "name"), ["Number 2", "Number 1"]);
    let next = format!("/v1/memory/collections?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(strings(&stage.app.get(&next, &ada).await.json::<Value>(200)["items"], "name"), ["Number 0", "Manuals"]);
    let named: Value = stage.app.get("/v1/memory/collections?name=Manuals&user=me", &ada).await.json(200);
    assert_eq!(strings(&named["items"], "id"), [collection["id"].as_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_collection_of_a_user() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Admin);
    let collections = "/v1/memory/collections";
    stage.collection(&ada, "Handbooks", &json!({})).await;
    assert_eq!(
        stage.app.post(collections, &ada, &json!({"name": "Handbooks"})).await.problem(409),
        "collection_exists"
    );
    stage.collection(&ada, "Handbooks", &json!({"user": null})).await;
    stage.collection(&ada, "Handbooks", &json!({"user": "customer-7"})).await;
    stage.collection(&ada.colleague(Role::Member), "Handbooks", &json!({})).await;
    let other = stage.collection(&ada, "Manuals", &json!({})).await;
    let path = format!("{collections}/{other}");
    assert_eq!(stage.app.patch(&path, &ada, &json!({"name": "Handbooks"})).await.problem(409), "collection_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_a_thousand_at_most() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let sql = format!(
        "INSERT INTO memory.collections (id, org_id, name, metadata, created_by, created_at, updated_at) \
         SELECT gen_random_uuid(), '{}', 'Number ' || n, '{{}}', '{}', now(), now() FROM generate_series(1, 999) n",
        ada.org, ada.user
    );
    stage.app.db.admin(move |conn| sql_query(sql).execute(conn).unwrap()).await;
    let create = |name: &'static str| {
        let (stage, ada) = (&stage, &ada);
        async move { stage.app.post("/v1/memory/collections", ada, &json!({"name": name})).await }
    };
    let answers = futures_util::future::join_all(["one", "two", "three"].map(create)).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
    assert_eq!(create("four").await.problem(409), "limit_reached");
    stage.collection(&Actor::new(Role::Member), "Elsewhere", &json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_stored() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    for (bad, field) in [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "x".repeat(201)}), "name"),
        (json!({"name": "x", "description": "x".repeat(2001)}), "description"),
        (json!({"name": "x", "user": ""}), "user"),
        (json!({"name": "x", "metadata": {"a": "x".repeat(9000)}}), "metadata"),
        (json!({"name": "x", "id": "y"}), "id"),
    ] {
        assert_eq!(stage.app.post("/v1/memory/collections", &ada, &bad).await.bad_fields(422), [field], "{bad}");
    }
    let list: Value = stage.app.get("/v1/memory/collections", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
    assert_eq!(stage.app.get("/v1/memory/collections?colour=red", &ada).await.problem(400), "invalid_parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_with_one_key_is_one_collection() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let create = async |name: &str| stage.post_once("/v1/memory/collections", &ada, &json!({ "name": name })).await;
    let (first, again) = (create("Once").await, create("Once").await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(create("Twice").await.problem(422), "idempotency_mismatch");
}
