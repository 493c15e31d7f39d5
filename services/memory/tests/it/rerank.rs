//! Hits are put in order by a model that compares them with the question once more, if somebody asks for it.

use contracts::Role;
use serde_json::{Value, json};
use testkit::Actor;

use crate::{
    fake_reranker::{FakeReranker, Mood},
    support::{Stage, strings},
};

const LAMPS: [&str; 3] = ["The red lamp is in the kitchen", "The red lamp is broken", "The lamp"];
const QUESTION: &str = "Is the red lamp broken?";

async fn with_reranker() -> (Stage, FakeReranker, Actor) {
    let model = FakeReranker::start();
    let stage = Stage::with(|app| {
        app.env("BRAINOPS_RERANK_URL", &model.url)
            .env("BRAINOPS_RERANK_KEY", FakeReranker::KEY)
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

fn reranked(limit: usize) -> Value {
    json!({"top_k": limit, "ranking": {"rerank": true}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_is_the_models() {
    let (stage, model, ada) = with_reranker().await;
    let before = stage.search(&ada, QUESTION).await;
    assert_eq!((&before["reranked"], &before["hits"][0]["explain"]["rerank"]), (&json!(false), &Value::Null));
    assert_eq!(model.requests().len(), 0);
    let after = stage.search_with(&ada, QUESTION, &reranked(2)).await;
    assert_eq!(strings(&after["hits"], "text"), [LAMPS[2], LAMPS[1]], "of all, though only two are wanted");
    assert_eq!((&after["reranked"], &after["hits"][0]["explain"]["rerank"]), (&json!(true), &json!(-8.0)));
    let expected = json!({
        "model": "rerank-2", "query": QUESTION, "documents": strings(&before["hits"], "text"), "top_n": 3,
        "return_documents": false,
    });
    assert_eq!(model.requests(), [expected]);

    let body = json!({"query": QUESTION, "scope": {"organization": true}, "ranking": {"rerank": true}});
    let context: Value = stage.app.post("/v1/memory/context", &ada, &body).await.json(200);
    assert_eq!(context["reranked"], true);
    assert!(context["text"].as_str().unwrap().starts_with("Facts:\n[1] The lamp\n"), "{context}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_the_order_stays() {
    let (mut stage, model, ada) = with_reranker().await;
    let before = strings(&stage.search(&ada, QUESTION).await["hits"], "text");
    for mood in [Mood::Overloaded, Mood::Forgetful, Mood::Chatty] {
        model.is(mood);
        let after = stage.search_with(&ada, QUESTION, &reranked(10)).await;
        assert_eq!((&after["reranked"], strings(&after["hits"], "text")), (&json!(false), before.clone()), "{mood:?}");
    }
    assert_eq!(model.requests().len(), 3);
    stage.app.restart(&[("BRAINOPS_RERANK_URL", "http://127.0.0.1:9/v1")]).await;
    stage.embedded(&ada, &LAMPS).await;
    let after = stage.search_with(&ada, QUESTION, &reranked(10)).await;
    assert_eq!((&after["reranked"], strings(&after["hits"], "text")), (&json!(false), before));
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
