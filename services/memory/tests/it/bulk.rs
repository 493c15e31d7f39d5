//! Several memories at once.

use contracts::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{Stage, strings};

const PATH: &str = "/v1/memory/memories/bulk";

#[tokio::test(flavor = "multi_thread")]
async fn several_are_remembered_at_once_and_each_only_once() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let tea = stage.remember(&ada, "Likes tea.", &json!({})).await;
    let body = json!({"memories": [
        {"text": "Likes TEA"},
        {"text": "Lives in Porto", "supersedes": [stage.remember(&ada, "Lives in Lisbon", &json!({})).await]},
        {"text": "Has a dog"},
        {"text": "has a dog."},
    ]});
    let made: Value = stage.app.post(PATH, &ada, &body).await.json(201);
    assert_eq!(strings(&made["items"], "outcome"), ["known", "added", "added", "known"]);
    assert_eq!(made["items"][0]["id"], tea);
    assert_eq!(made["items"][3]["id"], made["items"][2]["id"]);
    assert_eq!(stage.found(&ada, "Where does she live?").await, ["Lives in Porto"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_or_none() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let unknown = "01890a5d-ac99-7000-8000-0000000000ff";
    let fine = json!({"text": "fine"});
    for (second, field) in [
        (json!({"text": " "}), "memories[1].text"),
        (
            json!({"text": "x", "valid_from": "2024-01-01T00:00:00Z", "valid_to": "2023-01-01T00:00:00Z"}),
            "memories[1].valid_to",
        ),
    ] {
        let body = json!({"memories": [fine, second]});
        assert_eq!(stage.app.post(PATH, &ada, &body).await.bad_fields(422), [field]);
    }
    for few in [vec![], vec![fine.clone(); 101]] {
        assert_eq!(stage.app.post(PATH, &ada, &json!({"memories": few})).await.bad_fields(422), ["memories"]);
    }
    let body = json!({"memories": [fine, {"text": "x", "supersedes": [unknown]}]});
    assert_eq!(stage.app.post(PATH, &ada, &body).await.problem(404), "memory_not_found");
    let body = json!({"memories": [fine, {"text": "x", "user": ada.colleague(Role::Member).user}]});
    assert_eq!(stage.app.post(PATH, &ada, &body).await.problem(403), "not_yours");
    let list: Value = stage.app.get("/v1/memory/memories", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_at_once_in_any_order_is_remembered_once() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let texts: Vec<_> = (0..20).map(|n| json!({"text": format!("Fact {n}")})).collect();
    let turned: Vec<_> = texts.iter().rev().cloned().collect();
    let requests = (0..6).map(|n| json!({"memories": if n % 2 == 0 { &texts } else { &turned }}));
    let (stage, ada) = (&stage, &ada);
    let answers = join_all(requests.map(|body| async move { stage.app.post(PATH, ada, &body).await.status })).await;
    assert_eq!(answers, [201; 6]);
    let list: Value = stage.app.get("/v1/memory/memories?limit=100", ada).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_with_one_key_gets_the_first_answer() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    // As long as they may be: the answer is stored with its key.
    let memories: Vec<_> = (0..100).map(|n| json!({"text": format!("{n} {}", "x".repeat(5_000))})).collect();
    let body = json!({ "memories": memories });
    let (first, again) = (stage.post_once(PATH, &ada, &body).await, stage.post_once(PATH, &ada, &body).await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}
