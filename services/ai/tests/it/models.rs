//! The models that a caller may use, in both vendors' forms, and how many tokens a message is.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answer, providers::FakeProvider};

use crate::world::{Model, builder, member, model};

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_for_openais_and_for_anthropics_clients() {
    let fake = FakeProvider::start().await;
    let app = builder().start().await;
    Model { alias: "team/fast", ..model(&[(&fake, "openai", 0)]) }.add(&app).await;
    let who = member();
    let body: Value = app.get("/v1/models", &who).await.json(200);
    assert_eq!(body["object"], "list");
    let ids: Vec<_> = body["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"team/fast"), "{ids:?}");
    let one: Value = app.get("/v1/models/team/fast", &who).await.json(200);
    assert_eq!((&one["id"], &one["object"]), (&json!("team/fast"), &json!("model")));
    assert_eq!(app.get("/v1/models/slow", &who).await.json::<Value>(404)["error"]["code"], "model_not_found");

    let anthropic = |path: &str| {
        let request = app.request(Method::GET, path).bearer_auth(app.auth.token(&who));
        Answer::to(request.header("anthropic-version", "2023-06-01"))
    };
    let body: Value = anthropic("/v1/models").await.json(200);
    assert_eq!(body["has_more"], false);
    assert!(body["data"].as_array().unwrap().iter().any(|model| model["display_name"] == "team/fast"), "{body}");
    assert_eq!(anthropic("/v1/models/team/fast").await.json::<Value>(200)["type"], "model");
    assert_eq!(anthropic("/v1/models/slow").await.json::<Value>(404)["error"]["type"], "not_found_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_message_are_counted_free_of_charge() {
    let fake = FakeProvider::start().await;
    let app = builder().start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    let count = |text: &str| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let (app, who) = (&app, member());
        async move { app.post("/v1/messages/count_tokens", &who, &body).await.json::<Value>(200)["input_tokens"].as_u64() }
    };
    let (short, long) = (count("Hi").await.unwrap(), count(&"Hi there. ".repeat(100)).await.unwrap());
    assert!(short > 0 && (150..400).contains(&(long - short)), "{short} {long}");
    assert!(fake.requests().is_empty());
}
