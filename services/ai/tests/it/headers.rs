//! What the headers of an answer tell.

use serde_json::{Value, json};
use testkit::providers::FakeProvider;

use crate::world::{CHAT, chat, member, one, open, post_with, records, streamed};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_tells_how_it_was_made() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let answer = app.post(CHAT, &member(), &chat("Hello there")).await;
    let body: Value = answer.json(200);
    assert_eq!(answer.header("x-brainops-model"), Some("gpt-5-mini"));
    assert_eq!(answer.header("x-brainops-provider"), Some("openai-0"));
    assert_eq!(answer.header("x-brainops-attempts"), Some("1"));
    assert_eq!(answer.header("x-brainops-cache"), Some("bypass"));
    let usage = &body["usage"];
    let cost = usage["prompt_tokens"].as_u64().unwrap() * 1_000 + usage["completion_tokens"].as_u64().unwrap() * 2_000;
    assert_eq!(answer.header("x-brainops-cost-nanousd"), Some(cost.to_string().as_str()));
    let overhead: f64 = answer.header("x-brainops-overhead-ms").unwrap().parse().unwrap();
    assert!((0.0..5_000.0).contains(&overhead));
    let timing = answer.header("server-timing").unwrap();
    assert!(timing.starts_with("provider;dur=") && timing.contains(", overhead;dur="), "{timing}");
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("x-brainops-warnings"), None);
    assert_eq!(records(&app, 1).await[0].cost_nano_usd, i64::try_from(cost).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_carried_is_named() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let mut body = chat("Hello");
    body["brainops"] = json!({"session_id": "s", "recall": {"top_k": 8}, "remember": true});
    let answer = app.post(CHAT, &member(), &body).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-brainops-warnings"), Some("dropped brainops.remember, brainops.recall"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_what_is_known_at_its_head() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let answer = open(&app, &member(), CHAT, &streamed("Hello there")).await;
    let headers = answer.headers();
    assert_eq!(headers["x-brainops-model"], "gpt-5-mini");
    assert_eq!(headers["x-brainops-attempts"], "1");
    assert!(headers.contains_key("server-timing") && headers.contains_key("x-brainops-overhead-ms"));
    assert!(!headers.contains_key("x-brainops-cost-nanousd"), "it is not known yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_comes_in_the_body_or_in_a_header() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let mut body = chat("Hello");
    body["brainops"] = json!({"session_id": "from the body"});
    post_with(&app, &who, &body, ("x-brainops-session-id", "from the header")).await.json::<Value>(200);
    post_with(&app, &who, &chat("Hello"), ("x-brainops-session-id", "from the header")).await.json::<Value>(200);
    let sessions: Vec<_> = records(&app, 2).await.into_iter().map(|record| record.session_id.unwrap()).collect();
    assert_eq!(sessions, ["from the body", "from the header"]);
    let long = "x".repeat(256);
    let answer = post_with(&app, &who, &chat("Hello"), ("x-brainops-session-id", &long)).await;
    assert_eq!(answer.json::<Value>(400)["error"]["param"], "x-brainops-session-id");
    fake.assert_clean();
}
