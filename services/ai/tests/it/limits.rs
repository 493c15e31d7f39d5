//! Quotas as callers of models meet them.

use std::time::Duration;

use ai::Ai;
use db::diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};
use testkit::{
    Actor, TestApp,
    providers::{FakeProvider, Gate, Reply},
};

use crate::world::{CHAT, chat, id, member, one, open, records, streamed};

/// Limits the organization of `who`.
async fn limit(app: &TestApp<Ai>, who: &Actor, period: &str, metric: &str, amount: i64) {
    let sql = format!(
        "INSERT INTO ai.quotas (id, org_id, subject, period, metric, limit_amount, thresholds, created_at, updated_at) \
         VALUES ('{}', '{}', 'organization', '{period}', '{metric}', {amount}, '{{80}}', now(), now())",
        id(),
        who.org
    );
    app.db.admin(move |conn| conn.batch_execute(&sql).expect("a quota")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_is_429_in_each_form_and_says_until_when() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    limit(&app, &who, "day", "requests", 2).await;
    for _ in 0..2 {
        app.post(CHAT, &who, &chat("Hello")).await.json::<Value>(200);
    }
    let answer = app.post(CHAT, &who, &chat("Hello")).await;
    let error = answer.json::<Value>(429)["error"].clone();
    assert_eq!((&error["code"], &error["type"]), (&json!("insufficient_quota"), &json!("insufficient_quota")));
    assert!(error["message"].as_str().unwrap().contains("2 of 2 requests"), "{error}");
    // The clock of the tests stands at noon.
    assert_eq!(answer.header("retry-after"), Some("43200"));
    assert_eq!(answer.header("x-should-retry"), Some("false"));

    let message = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]});
    let body: Value = app.post("/v1/messages", &who, &message).await.json(429);
    assert_eq!(body["error"]["type"], "rate_limit_error");
    let stream = open(&app, &who, CHAT, &streamed("Hello")).await;
    assert_eq!(stream.status(), 429);
    let embed = app.post("/v1/embeddings", &who, &json!({"model": "m", "input": "x"})).await;
    assert_eq!(embed.status, 400, "what cannot be is refused before a quota is asked");

    assert_eq!(fake.requests().len(), 2);
    app.post(CHAT, &member(), &chat("Hello")).await.json::<Value>(200);
    assert_eq!(records(&app, 3).await.len(), 3, "refusals are not charged, and others are not limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_told_as_openai_tells_them() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    limit(&app, &who, "minute", "requests", 10).await;
    limit(&app, &who, "minute", "tokens", 50_000).await;
    let answer = app.post(CHAT, &who, &chat("Hello")).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("10"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("9"));
    assert_eq!(answer.header("x-ratelimit-reset-requests"), Some("1m0s"));
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("50000"));
    let left: i64 = answer.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    assert!((45_000..46_000).contains(&left), "the usual answer of 4,096 tokens is set aside: {left}");
    let stream = open(&app, &who, CHAT, &streamed("Hello")).await;
    assert_eq!(stream.headers()["x-ratelimit-remaining-requests"], "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_and_not_used_comes_back() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    // Room for one call of 4,096 tokens at a time.
    limit(&app, &who, "day", "tokens", 5_000).await;
    let gate = Gate::new();
    fake.next(Reply::text("slow").held(&gate));
    let held = chat("Hello");
    let first = app.post(CHAT, &who, &held);
    let meanwhile = async {
        fake.wait_for_request().await;
        let answer = app.post(CHAT, &who, &chat("Hello")).await;
        gate.open();
        answer
    };
    let (first, second) = futures_util::join!(first, meanwhile);
    first.json::<Value>(200);
    assert_eq!(second.json::<Value>(429)["error"]["code"], "insufficient_quota");
    // The refusal is remembered for a second, so that a crowd without quota costs nothing.
    while app.post(CHAT, &who, &chat("Hello")).await.status == 429 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A provider's failure gives everything back as well.
    fake.next(Reply::error(400, "invalid_request_error", "no"));
    app.post(CHAT, &who, &chat("Hello")).await.json::<Value>(400);
    for _ in 0..5 {
        app.post(CHAT, &who, &chat("Hello")).await.json::<Value>(200);
    }
}
