//! A whole answer in each of the three protocols.

use serde_json::{Value, json};
use testkit::providers::{FakeProvider, Reply};

use crate::world::{CHAT, chat, member, one};

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_completion_comes_back_in_openais_form() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let answer = app.post(CHAT, &member(), &chat("Hello there")).await;
    let body: Value = answer.json(200);
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "m");
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(body["created"], app_time(&app));
    assert_eq!(body["choices"][0]["message"]["content"], "You said: Hello there");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["total_tokens"], body["usage"]["prompt_tokens"].as_u64().unwrap() + 4);
    fake.assert_clean();
    assert_eq!(fake.last_request().body["model"], "gpt-5-mini");
    assert!(fake.last_request().body.get("brainops").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_and_a_message_come_back_in_their_forms() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let answer = app.post("/v1/responses", &who, &json!({"model": "m", "input": "Hello there"})).await;
    let body: Value = answer.json(200);
    assert_eq!((&body["object"], &body["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(body["output"][0]["content"][0]["text"], "You said: Hello there");

    let message = json!({"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello there"}]});
    let answer = app.post("/v1/messages", &who, &message).await;
    let body: Value = answer.json(200);
    assert_eq!((&body["type"], &body["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!(body["content"][0]["text"], "You said: Hello there");
    assert_eq!(body["stop_reason"], "end_turn");
    fake.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_tools_come_through() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    fake.next(Reply::tools([("weather", json!({"city": "Bern"}))]));
    let mut body = chat("How is the weather in Bern?");
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]
    }}}]);
    let answer: Value = app.post(CHAT, &member(), &body).await.json(200);
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "weather");
    assert_eq!(call["function"]["arguments"].as_str().unwrap().parse::<Value>().unwrap(), json!({"city": "Bern"}));
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    fake.assert_clean();
}

fn app_time(app: &testkit::TestApp<ai::Ai>) -> i64 {
    kit::Clock::now(&*app.clock).timestamp()
}
