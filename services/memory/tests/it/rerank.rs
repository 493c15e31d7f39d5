//! Hits are put in order by a model that compares them with the question once more, if somebody asks for it.

use contracts::Role;
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{FakeProvider, Reply},
};

use crate::support::{Stage, strings};

const LAMPS: [&str; 3] = ["The red lamp is in the kitchen", "The red lamp is broken", "The lamp"];

async fn with_reranker() -> (Stage, FakeProvider, Actor) {
    let model = FakeProvider::start().await;
    let stage = Stage::with(|app| {
        app.env("BRAINOPS_RERANK_URL", model.openai_url())
            .env("BRAINOPS_RERANK_KEY", FakeProvider::KEY)
            .env("BRAINOPS_RERANK_MODEL", "rerank-2")
    })
    .await;
    let ada = Actor::new(Role::Member);
    for text in LAMPS {
        stage.remember(&ada, text, &json!({})).await;
    }
    stage.embedded(&ada, &LAMPS).await;
    (stage, model, ada)
}

/// The texts of a request score as they are long: the shorter, the better.
fn shortest_first(texts: &[String]) -> Reply {
    let result = |(index, text): (usize, &String)| json!({"index": index, "relevance_score": -i64::try_from(text.len()).unwrap()});
    let results: Vec<_> = texts.iter().enumerate().map(result).rev().collect();
    Reply::raw("application/json", json!({ "results": results }).to_string())
}

fn reranked(limit: usize) -> Value {
    json!({"top_k": limit, "ranking": {"rerank": true}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_is_the_models() {
    let (stage, model, ada) = with_reranker().await;
    let before = stage.search(&ada, "Is the red lamp broken?").await;
    assert_eq!((&before["reranked"], &before["hits"][0]["explain"]["rerank"]), (&json!(false), &Value::Null));
    let before = strings(&before["hits"], "text");
    model.next(shortest_first(&before));
    let after = stage.search_with(&ada, "Is the red lamp broken?", &reranked(2)).await;
    assert_eq!(strings(&after["hits"], "text"), [LAMPS[2], LAMPS[1]], "of all, though only two are wanted");
    assert_eq!((&after["reranked"], &after["hits"][0]["explain"]["rerank"]), (&json!(true), &json!(-8.0)));
    let asked = model.last_request();
    assert_eq!((asked.path.as_str(), &asked.body["model"]), ("/v1/rerank", &json!("rerank-2")));
    assert_eq!(
        (&asked.body["query"], &asked.body["documents"], &asked.body["top_n"]),
        (&json!("Is the red lamp broken?"), &json!(before), &json!(3))
    );

    model.next(shortest_first(&before));
    let body =
        json!({"query": "Is the red lamp broken?", "scope": {"organization": true}, "ranking": {"rerank": true}});
    let context: Value = stage.app.post("/v1/memory/context", &ada, &body).await.json(200);
    assert_eq!(context["reranked"], true);
    assert!(context["text"].as_str().unwrap().starts_with("Facts:\n[1] The lamp\n"), "{context}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_the_order_stays() {
    let (stage, model, ada) = with_reranker().await;
    let before = strings(&stage.search(&ada, "Is the red lamp broken?").await["hits"], "text");
    for reply in [Reply::status(503), Reply::hangup(), Reply::html(), shortest_first(&before[..2])] {
        model.next(reply);
        let after = stage.search_with(&ada, "Is the red lamp broken?", &reranked(10)).await;
        assert_eq!((&after["reranked"], strings(&after["hits"], "text")), (&json!(false), before.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_nobody_can_ask_for_it() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    for path in ["/v1/memory/search", "/v1/memory/context"] {
        let body = json!({"query": "lamp", "scope": {"organization": true}, "ranking": {"rerank": true}});
        assert_eq!(stage.app.post(path, &ada, &body).await.problem(422), "rerank_unavailable");
    }
}
