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

/// A route, and how its protocol writes a text, an image and a tool.
struct Form {
    path: &'static str,
    /// A request with this content.
    ask: fn(content: Value) -> Value,
    image: fn(data: &str) -> Value,
    tool: fn(schema: Value) -> Value,
    /// The field that limits the answer.
    most: &'static str,
}

const FORMS: [Form; 3] = [
    Form {
        path: CHAT,
        ask: |content| json!({"model": "m", "messages": [{"role": "user", "content": content}]}),
        image: |data| json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}}),
        tool: |schema| json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]),
        most: "max_tokens",
    },
    Form {
        path: "/v1/responses",
        ask: |content| json!({"model": "m", "input": [{"role": "user", "content": content}]}),
        image: |data| json!({"type": "input_image", "image_url": format!("data:image/png;base64,{data}")}),
        tool: |schema| json!([{"type": "function", "name": "f", "parameters": schema}]),
        most: "max_output_tokens",
    },
    Form {
        path: "/v1/messages",
        ask: |content| json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": content}]}),
        image: |data| json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}),
        tool: |schema| json!([{"name": "f", "input_schema": schema}]),
        most: "max_tokens",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn the_same_mistakes_are_told_in_the_form_of_each_route_and_cost_nothing() {
    let fake = FakeProvider::start().await;
    let app = builder().start().await;
    Model { context_window: 1_000, max_output_tokens: Some(500), ..model(&[(&fake, "openai", 0)]) }.add(&app).await;
    let who = member();
    let limit = json!({"subject": "organization", "window": "month", "metric": "requests", "limit": 1});
    let owner = Actor { org: who.org, ..Actor::new(contracts::Role::Owner) };
    app.post("/v1/ai/quotas", &owner, &limit).await.json::<Value>(201);

    let with = |mut body: Value, field: &str, value: Value| {
        body[field] = value;
        body
    };
    for Form { path, ask, image, tool, most } in FORMS {
        let hello = ask(json!("Hello"));
        let large = "A".repeat(16 << 20);
        let cases = [
            ("model_not_found", 404, with(hello.clone(), "model", json!("nobody"))),
            ("context_length_exceeded", 400, ask(json!("different words here ".repeat(1_000)))),
            ("invalid_tool_schema", 400, with(hello.clone(), "tools", tool(json!({"type": "object", "required": 7})))),
            ("invalid_tool_schema", 400, with(hello.clone(), "tools", tool(json!({"type": "string"})))),
            ("image_too_large", 400, ask(json!([image(&large)]))),
            ("invalid_image", 400, ask(json!([image("no base64!")]))),
            ("invalid_value", 400, with(hello.clone(), most, json!(-1))),
            ("invalid_value", 400, with(hello.clone(), most, json!(501))),
            ("payload_too_large", 413, with(hello.clone(), "padding", json!("x".repeat(21 << 20)))),
        ];
        for (code, status, body) in cases {
            let answer = app.post(path, &who, &body).await;
            let error: Value = answer.json(status);
            let text = error["error"]["message"].as_str().unwrap_or_default();
            assert!(!text.is_empty() && text.len() < 400, "{path}: {error}");
            if path == "/v1/messages" {
                let kind = match status {
                    404 => "not_found_error",
                    413 => "request_too_large",
                    _ => "invalid_request_error",
                };
                assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!(kind)), "{code}");
            } else {
                assert_eq!(error["error"]["code"], code, "{path}: {error}");
            }
        }
    }
    assert!(fake.requests().is_empty());

    // The only request of the month is still there, and is the only one that is recorded.
    app.post(CHAT, &who, &chat("Hello")).await.json::<Value>(200);
    assert_eq!(records(&app, 1).await.len(), 1);
    assert_eq!(refused(&app, &who, &chat("Hello"), 429).await["code"], "insufficient_quota");
}
