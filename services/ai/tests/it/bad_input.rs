//! What cannot be done is refused in the protocol of the route, before anything is sent or charged.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Answer, TestApp, providers::FakeProvider};

use crate::world::{CHAT, Model, builder, chat, member, model, one, records};

/// Posts what must be refused, and gives the error of the body.
async fn refused(app: &TestApp<ai::Ai>, who: &Actor, body: &Value, status: u16) -> Value {
    let answer = app.post(CHAT, who, body).await;
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    answer.json::<Value>(status)["error"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_404_in_each_form() {
    let app = builder().start().await;
    let error = refused(&app, &member(), &chat("Hello"), 404).await;
    assert_eq!(
        (&error["code"], &error["type"], &error["param"]),
        (&json!("model_not_found"), &json!("invalid_request_error"), &json!("model"))
    );
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]});
    let answer = app.post("/v1/messages", &member(), &body).await;
    let body: Value = answer.json(404);
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("not_found_error")));
    assert_eq!(body["request_id"].as_str(), answer.header("request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_for_others_is_403() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    app.db
        .admin(|conn| {
            use db::diesel::connection::SimpleConnection as _;
            conn.batch_execute("UPDATE ai.models SET access = '{\"role\":\"owner\"}'").unwrap();
        })
        .await;
    let error = refused(&app, &member(), &chat("Hello"), 403).await;
    assert_eq!((&error["code"], &error["type"]), (&json!("model_not_allowed"), &json!("permission_error")));
    assert!(fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_and_a_token_without_the_scope_may_not_invoke() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let viewer = Actor::new(contracts::Role::Viewer);
    let error = refused(&app, &viewer, &chat("Hello"), 403).await;
    assert_eq!(error["code"], "insufficient_scope");
    let nobody = app.send(Method::POST, CHAT, None, Some(&chat("Hello"))).await;
    assert_eq!(nobody.json::<Value>(401)["error"]["code"], "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_cannot_do_is_named() {
    let fake = FakeProvider::start().await;
    let app = builder().start().await;
    Model { capabilities: &["chat"], ..model(&[(&fake, "openai", 0)]) }.add(&app).await;
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]);
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}});
    for (field, value, param) in [
        ("stream", json!(true), "stream"),
        ("tools", tool, "tools"),
        ("response_format", schema, "response_format"),
        ("response_format", json!({"type": "json_object"}), "response_format"),
        ("logprobs", json!(true), "logprobs"),
        ("messages", json!([{"role": "user", "content": image}]), "messages[0].content"),
    ] {
        let mut body = chat("Hello");
        body[field] = value;
        let error = refused(&app, &member(), &body, 400).await;
        assert_eq!((&error["code"], &error["param"]), (&json!("unsupported_parameter"), &json!(param)), "{error}");
    }
    app.post(CHAT, &member(), &chat("Hello")).await.json::<Value>(200);
    assert_eq!(records(&app, 1).await.len(), 1);
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_400_with_the_counts() {
    let fake = FakeProvider::start().await;
    let app = builder().start().await;
    Model { context_window: 1_000, max_output_tokens: Some(500), ..model(&[(&fake, "openai", 0)]) }.add(&app).await;
    let error = refused(&app, &member(), &chat(&"different words here ".repeat(1_000)), 400).await;
    assert_eq!((&error["code"], &error["param"]), (&json!("context_length_exceeded"), &json!("messages")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("1000 tokens") && message.contains("at least 2"), "{message}");

    let mut body = chat("Hello");
    body["max_tokens"] = json!(501);
    let error = refused(&app, &member(), &body, 400).await;
    assert_eq!((&error["code"], &error["param"]), (&json!("invalid_value"), &json!("max_tokens")));

    // 1,000 real tokens of words would be too many with 500 more, but only the provider can know: it is asked.
    let mut body = chat(&"word ".repeat(700));
    body["max_tokens"] = json!(500);
    app.post(CHAT, &member(), &body).await.json::<Value>(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_fields_are_400_and_name_themselves() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    for (field, value) in [
        ("max_tokens", json!(-1)),
        ("max_tokens", json!("many")),
        ("n", json!(100_000)),
        ("temperature", json!(99)),
        ("messages", json!([])),
        ("messages", json!("Hello")),
        ("model", Value::Null),
    ] {
        let mut body = chat("Hello");
        body[field] = value;
        let error = refused(&app, &member(), &body, 400).await;
        assert!(error["param"].as_str().is_some_and(|param| param.starts_with(field)), "{field}: {error}");
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none_are_refused_in_openais_form() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let token = app.auth.token(&member());
    let post = |body: Vec<u8>| {
        let request = app.request(Method::POST, CHAT).bearer_auth(&token).header("content-type", "application/json");
        Answer::to(request.body(body))
    };
    for (body, status, code) in [
        (b"{\"model\":".to_vec(), 400, "malformed_json"),
        (b"{\"model\":\"\xff\"}".to_vec(), 422, "validation_failed"),
        ([b"[".repeat(200), b"]".repeat(200)].concat(), 422, "validation_failed"),
        (vec![b' '; (20 << 20) + 1], 413, "payload_too_large"),
    ] {
        let answer = post(body).await;
        assert_eq!(answer.json::<Value>(status)["error"]["code"], code);
    }
    let get = app.send(Method::GET, CHAT, Some(&token), None).await;
    assert_eq!(get.json::<Value>(405)["error"]["code"], "method_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_many_megabytes_is_taken() {
    let fake = FakeProvider::start().await;
    // Without optimization so much text takes its time on both sides.
    let app = builder().env("BRAINOPS_AI_ATTEMPT_TIMEOUT_MS", "60000").env("BRAINOPS_AI_TOTAL_TIMEOUT_MS", "60000");
    let app = app.start().await;
    Model { context_window: 1 << 30, ..model(&[(&fake, "openai", 0)]) }.add(&app).await;
    let mut body = chat("");
    let picture = format!("data:image/png;base64,{}", "A".repeat(4 << 20));
    body["messages"][0]["content"] = json!([
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": picture}},
    ]);
    let answer: Value = app.post(CHAT, &member(), &body).await.json(200);
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: What is this?");
}
