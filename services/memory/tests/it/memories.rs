//! Memories over HTTP, and what stays of them.

use contracts::{
    Role,
    memory::v1::{MemoryAdded, MemorySuperseded},
};
use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{Stage, eventually, strings};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_can_be_read_corrected_and_traced() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let body = json!({"text": " Lives in Lisbon. ", "tags": ["home"], "metadata": {"sure": true}, "confidence": 0.5});
    let made = stage.app.post("/v1/memory/memories", &ada, &body).await;
    let memory: Value = made.json(201);
    assert_eq!((&memory["text"], &memory["source"]), (&json!("Lives in Lisbon."), &json!("stated")));
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(stage.app.get(&path, &ada).await.json::<Value>(200), memory);
    let (_, added) = events.wait::<MemoryAdded>(|_| true).await;
    assert_eq!(json!(added.memory_id), memory["id"]);

    let changed: Value =
        stage.app.patch(&path, &ada, &json!({"text": "Lives in Porto.", "pinned": true})).await.json(200);
    assert_eq!(
        (&changed["text"], &changed["version"], &changed["tags"]),
        (&json!("Lives in Porto."), &json!(2), &json!(["home"]))
    );
    let history: Value = stage.app.get(&format!("{path}/history"), &ada).await.json(200);
    let turns: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|t| (&t["change"], &t["old_text"], &t["new_text"])).collect();
    assert_eq!(
        turns,
        [
            (&json!("added"), &Value::Null, &json!("Lives in Lisbon.")),
            (&json!("updated"), &json!("Lives in Lisbon."), &json!("Lives in Porto.")),
        ]
    );
    assert_eq!(stage.found(&ada, "Lives in Porto").await, ["Lives in Porto."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_remembered_once() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let first = stage.remember(&ada, "Likes tea.", &json!({})).await;
    assert_eq!(stage.remember(&ada, "likes  TEA", &json!({})).await, first);
    assert_ne!(stage.remember(&ada, "Likes tea.", &json!({"agent": "barista"})).await, first, "another scope");
    let bob = ada.colleague(Role::Member);
    assert_ne!(stage.remember(&bob, "Likes tea.", &json!({})).await, first, "another person");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_superseded_stays_in_the_past() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let (then, later) = ("2023-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    let lisbon = stage.remember(&ada, "Lives in Lisbon", &json!({"valid_from": then})).await;
    let more = json!({"valid_from": later, "supersedes": [lisbon]});
    let porto = stage.remember(&ada, "Lives in Porto", &more).await;
    let old: Value = stage.app.get(&format!("/v1/memory/memories/{lisbon}"), &ada).await.json(200);
    assert_eq!((&old["valid_to"], &old["superseded_by"]), (&json!(later), &json!(porto)));
    assert_eq!(stage.found(&ada, "Where does she live?").await, ["Lives in Porto"]);
    let past =
        stage.search_with(&ada, "Where does she live?", &json!({"filter": {"as_of": "2023-07-01T00:00:00Z"}})).await;
    assert_eq!(strings(&past["hits"], "text"), ["Lives in Lisbon"]);
    let list = async |query: &str| -> Vec<String> {
        let list: Value = stage.app.get(&format!("/v1/memory/memories{query}"), &ada).await.json(200);
        strings(&list["items"], "text")
    };
    assert_eq!(list("?as_of=2023-07-01T00:00:00Z").await, ["Lives in Lisbon"]);
    assert_eq!(list("").await, ["Lives in Porto", "Lives in Lisbon"]);
    let (_, event) = events.wait::<MemorySuperseded>(|_| true).await;
    assert_eq!(event.superseded_by_memory_id, Some(porto));
}

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = sql_types::BigInt)]
    rows: i64,
}

/// Rows of any table of the schema in which a text stands.
async fn rows_with(stage: &Stage, text: &'static str) -> i64 {
    let sql = format!(
        "SELECT (SELECT count(*) FROM memory.memories m WHERE m::text LIKE '%{text}%') \
         + (SELECT count(*) FROM memory.memory_history m WHERE m::text LIKE '%{text}%') \
         + (SELECT count(*) FROM memory.entries m WHERE m::text LIKE '%{text}%') \
         + (SELECT count(*) FROM memory.messages m WHERE m::text LIKE '%{text}%') AS rows"
    );
    stage.app.db.admin(move |conn| sql_query(sql).get_result::<Left>(conn).unwrap().rows).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_nowhere() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let memory = stage.remember(&ada, "Fears quokkas", &json!({})).await;
    let path = format!("/v1/memory/memories/{memory}");
    stage.app.patch(&path, &ada, &json!({"text": "Loves quokkas"})).await.json::<Value>(200);
    stage.embedded(&ada, &["Loves quokkas"]).await;
    assert!(rows_with(&stage, "quokkas").await > 0);
    assert_eq!(stage.delete(&path, &ada).await.status, 204);
    assert_eq!(stage.found(&ada, "Loves quokkas").await, [""; 0]);
    assert_eq!(rows_with(&stage, "quokkas").await, 0);
    assert_eq!(stage.app.get(&format!("{path}/history"), &ada).await.problem(404), "memory_not_found");
    let vectors = || async {
        let count = "SELECT count(*) AS rows FROM memory.vectors";
        stage.app.db.admin(move |conn| sql_query(count).get_result::<Left>(conn).unwrap().rows).await
    };
    assert_eq!(vectors().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_not_found_from_that_moment_on() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let soon = testkit::test_start() + chrono::TimeDelta::hours(1);
    stage.remember(&ada, "Parked on level 3", &json!({"expires_at": soon})).await;
    assert_eq!(stage.found(&ada, "Which level?").await, ["Parked on level 3"]);
    stage.app.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(stage.found(&ada, "Which level?").await, [""; 0]);
    let list: Value = stage.app.get("/v1/memory/memories", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_stored() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    for (more, field) in [
        (json!({"text": " "}), "text"),
        (json!({"text": "x".repeat(8001)}), "text"),
        (json!({"confidence": 1.5}), "confidence"),
        (json!({"tags": ["a\u{0}b"]}), "tags[0]"),
        (json!({"tags": vec!["a"; 33]}), "tags"),
        (json!({"valid_from": "2024-01-01T00:00:00Z", "valid_to": "2023-01-01T00:00:00Z"}), "valid_to"),
        (json!({"valid_to": "yesterday"}), "valid_to"),
        (json!({"source": "extracted"}), "source"),
    ] {
        let body = crate::support::merged(&json!({"text": "fine"}), &more);
        assert_eq!(stage.app.post("/v1/memory/memories", &ada, &body).await.bad_fields(422), [field], "{more}");
    }
    let unknown = json!({"text": "fine", "supersedes": ["01890a5d-ac99-7000-8000-0000000000ff"]});
    assert_eq!(stage.app.post("/v1/memory/memories", &ada, &unknown).await.problem(404), "memory_not_found");
    let list: Value = stage.app.get("/v1/memory/memories", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
    eventually("nothing waits to be embedded", async || stage.embeddings.active() == 0).await;
}
