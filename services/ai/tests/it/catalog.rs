//! Where models come from, and how soon a change is known.

use contracts::{CloudEvent, EventId, Origin, Role, ai::v1::ModelChanged};
use db::diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};
use testkit::{Actor, providers::FakeProvider, test_start};

use crate::support::{Stage, merged, model, set_database_open};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_model() {
    let stage = Stage::start().await;
    assert!(stage.usable(&Actor::new(Role::Owner)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendors_key_brings_its_well_known_models_and_defaults() {
    let stage = Stage::with(|app| app.env("ANTHROPIC_API_KEY", "sk-ant").env("OPENAI_API_KEY", "sk-oai")).await;
    let mel = Actor::new(Role::Member);
    let names = stage.usable(&mel).await;
    for name in ["gpt-5", "gpt-4o-mini", "text-embedding-3-small", "claude-sonnet-4-5", "default", "default-embedding"]
    {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with("gemini") || name.starts_with("local")), "{names:?}");

    let list: Value = stage.app.get("/v1/ai/models?limit=100", &stage.operator).await.json(200);
    let mini = list["items"].as_array().unwrap().iter().find(|model| model["alias"] == "gpt-5-mini").unwrap();
    assert_eq!(
        (&mini["source"], &mini["scope"], &mini["context_window"]),
        (&json!("seeded"), &json!("global"), &json!(400_000))
    );
    assert_eq!(
        mini["prices"],
        json!({"input": 250, "cached_input": 25, "output": 2000, "batch_input": 125, "batch_output": 1000})
    );
    assert!(mini["prices_as_of"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundled_inference_has_two_models_that_cost_nothing() {
    let stage = Stage::with(|app| app.env("BRAINOPS_LOCAL_INFERENCE_URL", "http://127.0.0.1:9")).await;
    let names = stage.usable(&Actor::new(Role::Viewer)).await;
    assert_eq!(names, ["default", "default-embedding", "local-chat", "local-embedding"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_asked_what_it_has_and_called_by_those_names() {
    let fake = FakeProvider::start().await;
    let stage =
        Stage::with(|app| app.env("OPENAI_BASE_URL", fake.openai_url()).env("OPENAI_API_KEY", FakeProvider::KEY)).await;
    let mel = Actor::new(Role::Member);
    // At once, even if the server was not asked yet.
    let answer: Value = stage.chat(&mel, "gpt-fake-mini").await.json(200);
    assert_eq!(answer["model"], "gpt-fake-mini");
    assert_eq!(fake.last_request().body["model"], "gpt-fake-mini");
    assert_eq!(stage.usable(&mel).await, ["default", "gpt-fake", "gpt-fake-mini"]);
    assert_eq!(stage.chat(&mel, "default").await.status, 200);
    let refused: Value = stage.chat(&mel, "gpt-5").await.json(404);
    assert_eq!(refused["error"]["code"], "model_not_found");
    let asked = fake.requests().iter().filter(|seen| seen.path.ends_with("/models")).count();
    for _ in 0..20 {
        assert_eq!(stage.chat(&mel, "no-such-model").await.status, 404);
    }
    let now = fake.requests().iter().filter(|seen| seen.path.ends_with("/models")).count();
    assert!(now <= asked + 1, "a caller who guesses names does not make us ask each time: {asked}, {now}");
    fake.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_changes_a_built_in_model_and_resets_it() {
    let stage = Stage::with(|app| app.env("OPENAI_API_KEY", "sk-oai")).await;
    let mel = Actor::new(Role::Member);
    let list: Value = stage.app.get("/v1/ai/models?limit=100", &stage.operator).await.json(200);
    let find = |alias: &str| {
        let all = list["items"].as_array().unwrap();
        all.iter().find(|model| model["alias"] == alias).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let path = format!("/v1/ai/models/{}", find("gpt-5-mini"));
    assert_eq!(stage.delete(&path, &stage.operator).await.problem(409), "built_in");
    assert_eq!(stage.delete(&path, &mel.colleague(Role::Admin)).await.problem(403), "operator_required");

    let off: Value =
        stage.app.patch(&path, &stage.operator, &json!({"enabled": false, "prices": {"input": 200}})).await.json(200);
    assert_eq!((&off["source"], &off["version"], &off["prices"]["input"]), (&json!("custom"), &json!(2), &json!(200)));
    let names = stage.usable(&mel).await;
    assert!(!names.contains(&"gpt-5-mini".to_owned()), "{names:?}");
    assert!(names.contains(&"default".to_owned()), "the next one steps in: {names:?}");

    let renamed: Value =
        stage.app.patch(&path, &stage.operator, &json!({"enabled": true, "alias": "mini"})).await.json(200);
    assert_eq!(renamed["version"], 3);
    let names = stage.usable(&mel).await;
    assert!(names.contains(&"mini".to_owned()) && !names.contains(&"gpt-5-mini".to_owned()), "{names:?}");

    assert_eq!(stage.delete(&path, &stage.operator).await.status, 204);
    let back: Value = stage.app.get(&path, &stage.operator).await.json(200);
    assert_eq!(
        (&back["source"], &back["alias"], &back["prices"]["input"]),
        (&json!("seeded"), &json!("gpt-5-mini"), &json!(250))
    );
    assert_eq!(stage.delete(&path, &stage.operator).await.status, 204, "it is as it came, now as before");
    assert!(stage.usable(&mel).await.contains(&"gpt-5-mini".to_owned()));

    // A model of the operators' own making with the alias hides the one that came along.
    let body = json!({"alias": "gpt-5", "context_window": 1000, "capabilities": ["chat"], "scope": "global",
        "prices": {"input": 1, "output": 1}, "routes": back["routes"].as_array().unwrap().iter()
            .map(|route| json!({"provider_id": route["provider_id"], "model": "gpt-5"})).collect::<Vec<_>>()});
    assert_eq!(stage.app.post("/v1/ai/models", &stage.operator, &body).await.status, 201);
    let list: Value = stage.app.get("/v1/ai/models?limit=100", &stage.operator).await.json(200);
    let so_called = list["items"].as_array().unwrap().iter().filter(|model| model["alias"] == "gpt-5").count();
    assert_eq!(so_called, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_the_last_models_hold() {
    let stage = Stage::with(|app| {
        app.env("OPENAI_API_KEY", "sk-oai").env("BRAINOPS_AI_CATALOG_FRESH_MS", "1").env("BRAINOPS_DATABASE_POOL", "2")
    })
    .await;
    let mel = Actor::new(Role::Member);
    let before = stage.usable(&mel).await;
    assert!(before.contains(&"gpt-5".to_owned()));
    set_database_open(&stage, false).await;
    for _ in 0..5 {
        assert_eq!(stage.usable(&mel).await, before);
    }
    let stranger = Actor::new(Role::Member);
    let answer = stage.app.get("/v1/models", &stranger).await;
    assert_eq!(answer.status, 503, "nobody knows what this one may use: {}", answer.text());
    set_database_open(&stage, true).await;
    let again = async { while !stage.app.get("/v1/models", &stranger).await.is_success() {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.expect("models once the database is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_replica_changed_is_known_within_seconds() {
    let (stage, fake) =
        (Stage::with(|app| app.env("BRAINOPS_AI_CATALOG_FRESH_MS", "600000")).await, FakeProvider::start().await);
    let provider = stage.faked(&fake).await;
    let body = merged(&model("shared", &provider), &json!({"scope": "global"}));
    let made: Value = stage.app.post("/v1/ai/models", &stage.operator, &body).await.json(201);
    let mel = Actor::new(Role::Member);
    assert_eq!(stage.usable(&mel).await, ["default", "shared"]);
    // The other replica commits, and its relay publishes.
    let id = made["id"].as_str().unwrap().to_owned();
    let sql = format!("UPDATE ai.models SET enabled = false, version = 2 WHERE id = '{id}'");
    stage.app.db.admin(move |conn| conn.batch_execute(&sql).unwrap()).await;
    let event = ModelChanged {
        model_id: id,
        organization_id: None,
        alias: "shared".into(),
        change: "updated".into(),
        version: 2,
        changed_at: Some(test_start().into()),
    };
    let known = async {
        loop {
            // Again and again, since nobody says when the replica began to listen.
            let event_id = EventId::from_uuid(Actor::new(Role::Owner).user.uuid());
            let event = CloudEvent::new(event_id, &Origin::system(test_start()), 2, &event).unwrap();
            stage.app.publish(&event).await;
            if stage.usable(&mel).await.is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), known).await.expect("known within seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_come_first_all_find_the_model_of_another_server() {
    let fake = FakeProvider::start().await;
    let stage =
        Stage::with(|app| app.env("OPENAI_BASE_URL", fake.openai_url()).env("OPENAI_API_KEY", FakeProvider::KEY)).await;
    let mel = Actor::new(Role::Member);
    let calls = (0..50).map(|_| stage.app.get("/v1/models/gpt-fake", &mel));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let asked = fake.requests().iter().filter(|seen| seen.path.ends_with("/models")).count();
    assert_eq!(asked, 1);
}
