//! Vectors for texts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use testkit::providers::{FakeProvider, embedding};

use crate::world::{Model, builder, member, model, records};

const EMBEDDINGS: &str = "/v1/embeddings";

async fn one(fake: &FakeProvider) -> testkit::TestApp<ai::Ai> {
    let app = builder().start().await;
    Model { capabilities: &["embeddings"], context_window: 500, ..model(&[(fake, "openai", 0)]) }.add(&app).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn one_text_or_many_become_vectors_in_their_order() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let answer = app.post(EMBEDDINGS, &who, &json!({"model": "m", "input": ["red fox", "blue whale"]})).await;
    let body: Value = answer.json(200);
    assert_eq!((&body["object"], &body["model"]), (&json!("list"), &json!("m")));
    for (index, text) in ["red fox", "blue whale"].into_iter().enumerate() {
        let item = &body["data"][index];
        assert_eq!((&item["object"], &item["index"]), (&json!("embedding"), &json!(index)));
        let vector: Vec<f32> = serde_json::from_value(item["embedding"].clone()).unwrap();
        assert_eq!(vector, embedding(text, vector.len()));
    }
    assert_eq!(body["usage"]["prompt_tokens"], 4);
    assert_eq!(answer.header("x-brainops-cost-nanousd"), Some("4000"));
    fake.assert_clean();
    let record = records(&app, 1).await.pop().unwrap();
    assert_eq!((record.input_tokens, record.output_tokens, record.outcome.as_str()), (4, 0, "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_can_be_had_as_base64_and_shorter() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let body = json!({"model": "m", "input": "red fox", "encoding_format": "base64", "dimensions": 4});
    let answer: Value = app.post(EMBEDDINGS, &member(), &body).await.json(200);
    let bytes = STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let vector: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(vector, embedding("red fox", 4));
    assert_eq!(fake.last_request().body["dimensions"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    for (input, param) in [
        (json!(["fits", "many different words that do not fit ".repeat(500)]), "input[1]"),
        (json!(vec!["x"; 2_049]), "input"),
        (json!([]), "input"),
        (json!(7), "input"),
    ] {
        let error: Value = app.post(EMBEDDINGS, &who, &json!({"model": "m", "input": input})).await.json(400);
        assert_eq!(error["error"]["param"], param, "{error}");
    }
    let answer = app.post("/v1/chat/completions", &who, &crate::world::chat("Hello")).await;
    assert_eq!(answer.json::<Value>(400)["error"]["param"], "model");
    assert!(fake.requests().is_empty());
}
