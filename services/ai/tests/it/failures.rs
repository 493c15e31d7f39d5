//! Providers that are down, slow, busy or lying, with and without another to fall back on.

use std::time::Duration;

use serde_json::Value;
use testkit::{
    TestApp,
    providers::{FakeProvider, Reply},
};

use crate::world::{CHAT, builder, chat, events, member, model, one, open, records, said, streamed, upstream};

/// A service whose `m` leads to `first`, and to `second` when that fails.
async fn two(first: &FakeProvider, second: &FakeProvider) -> TestApp<ai::Ai> {
    let app = builder().start().await;
    model(&[(first, "openai", 0), (second, "openai", 1)]).add(&app).await;
    app
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_else(|| panic!("no code in {body}"))
}

/// What a provider can do wrong before its first byte, and what the caller reads when there is no other.
fn misbehaviours() -> Vec<(Reply, u16, &'static str, usize)> {
    vec![
        (Reply::status(500), 502, "provider_failed", 3),
        (Reply::error(503, "overloaded_error", "Too busy"), 503, "provider_unavailable", 3),
        (Reply::status(429), 429, "provider_rate_limited", 3),
        (Reply::hangup(), 503, "provider_unavailable", 3),
        (Reply::html(), 502, "provider_failed", 3),
        (Reply::raw("application/json", "{\"object\":\"chat.comp"), 502, "provider_failed", 3),
        (Reply::raw("application/json", "[1,2,3]"), 502, "provider_failed", 3),
        (Reply::text("late").after(Duration::from_secs(30)), 504, "provider_timeout", 3),
        (Reply::error(401, "", "Incorrect API key provided: sk-fake"), 502, "provider_failed", 1),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_another_provider_the_caller_reads_what_is_wrong_and_pays_nothing() {
    for (reply, status, expected, attempts) in misbehaviours() {
        let fake = FakeProvider::start().await;
        let app = one(&fake).await;
        fake.always(reply.clone());
        let answer = app.post(CHAT, &member(), &chat("Hello")).await;
        let body: Value = answer.json(status);
        assert_eq!(code(&body), expected, "{reply:?}");
        assert!(!answer.text().contains("sk-fake") && !answer.text().contains("127.0.0.1"), "{}", answer.text());
        assert_eq!(fake.requests().len(), attempts, "{reply:?}");
        fake.always(Reply::echo());
        app.post(CHAT, &member(), &chat("Hello")).await.json::<Value>(200);
        assert_eq!(records(&app, 1).await.len(), 1, "only the good one is charged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_provider_takes_over_whatever_the_first_does() {
    for (reply, ..) in misbehaviours() {
        let (bad, good) = (FakeProvider::start().await, FakeProvider::start().await);
        let app = two(&bad, &good).await;
        bad.always(reply.clone());
        let answer = app.post(CHAT, &member(), &chat("Hello")).await;
        let body: Value = answer.json(200);
        assert_eq!(body["choices"][0]["message"]["content"], "You said: Hello", "{reply:?}");
        assert_eq!(answer.header("x-brainops-model"), Some(upstream("openai", 1).as_str()));
        let attempts = bad.requests().len() + 1;
        assert_eq!(answer.header("x-brainops-attempts"), Some(attempts.to_string().as_str()));
        assert_eq!(records(&app, 1).await[0].attempts, i32::try_from(attempts).unwrap());

        let mut stream = open(&app, &member(), CHAT, &streamed("Hello")).await;
        let mut text = String::new();
        while let Some(piece) = stream.chunk().await.unwrap() {
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        assert_eq!(said(&text), "You said: Hello", "{reply:?}: {text}");
        assert_eq!(events(&text).last().map(String::as_str), Some("[DONE]"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_nobody_can_reach() {
    let (gone, good) = (FakeProvider::start().await, FakeProvider::start().await);
    let app = two(&gone, &good).await;
    drop(gone);
    let answer = app.post(CHAT, &member(), &chat("Hello")).await;
    answer.json::<Value>(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_another_family_takes_over() {
    let bad = FakeProvider::start().await;
    bad.always(Reply::status(500));
    for kind in ["anthropic", "gemini"] {
        let good = FakeProvider::start().await;
        let app = builder().start().await;
        model(&[(&bad, "openai", 0), (&good, kind, 1)]).add(&app).await;
        let answer = app.post(CHAT, &member(), &chat("Hello")).await;
        let body: Value = answer.json(200);
        assert_eq!(body["choices"][0]["message"]["content"], "You said: Hello", "{kind}");
        let stream = open(&app, &member(), CHAT, &streamed("Hello")).await;
        assert_eq!(said(&stream.text().await.unwrap()), "You said: Hello", "{kind}");
        good.assert_clean();
        assert_eq!(records(&app, 2).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_broker_everything_works() {
    let fake = FakeProvider::start().await;
    let app = builder().env("BRAINOPS_AMQP_URL", "amqp://127.0.0.1:1").start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    app.post(CHAT, &member(), &chat("Hello")).await.json::<Value>(200);
    let stream = open(&app, &member(), CHAT, &streamed("Hello")).await;
    assert_eq!(said(&stream.text().await.unwrap()), "You said: Hello");
    assert_eq!(records(&app, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_answer_is_made_up_for() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    fake.next(Reply::status(502));
    let answer = app.post(CHAT, &member(), &chat("Hello")).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-brainops-attempts"), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asks_for_a_second_gets_it_and_one_that_asks_for_a_minute_is_believed() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    fake.next(Reply::status(429).retry_after("1"));
    let begun = std::time::Instant::now();
    app.post(CHAT, &member(), &chat("Hello")).await.json::<Value>(200);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());

    fake.next(Reply::status(429).retry_after("60"));
    for asked in [3, 3] {
        let answer = app.post(CHAT, &member(), &chat("Hello")).await;
        let body: Value = answer.json(429);
        assert_eq!(code(&body), "provider_rate_limited");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((50..=60).contains(&wait), "{wait}");
        assert_eq!(fake.requests().len(), asked, "nobody is asked before the minute is over");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_keeps_failing_is_left_alone() {
    let (bad, good) = (FakeProvider::start().await, FakeProvider::start().await);
    let app = two(&bad, &good).await;
    bad.always(Reply::status(500));
    for _ in 0..10 {
        app.post(CHAT, &member(), &chat("Hello")).await.json::<Value>(200);
    }
    // Two a call until five in a row have failed.
    assert!((5..=6).contains(&bad.requests().len()), "{}", bad.requests().len());
    assert_eq!(good.requests().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_says_of_a_bad_request_reaches_the_caller_and_nobody_else_is_asked() {
    let (first, second) = (FakeProvider::start().await, FakeProvider::start().await);
    let app = two(&first, &second).await;
    first.next(Reply::error(400, "invalid_request_error", "temperature is odd today").param("temperature"));
    let body: Value = app.post(CHAT, &member(), &chat("Hello")).await.json(400);
    assert_eq!(code(&body), "provider_refused");
    assert_eq!(body["error"]["message"], "temperature is odd today");
    assert_eq!(body["error"]["param"], "temperature");
    assert!(second.requests().is_empty());

    first.next(
        Reply::error(400, "invalid_request_error", "This model's maximum context length is 8 tokens.")
            .code("context_length_exceeded"),
    );
    let body: Value = app.post(CHAT, &member(), &chat("Hello")).await.json(400);
    assert_eq!(code(&body), "context_length_exceeded");
    assert!(second.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_a_stream_before_its_first_byte_have_a_status() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    fake.always(Reply::status(500));
    let answer = app.post(CHAT, &member(), &streamed("Hello")).await;
    let body: Value = answer.json(502);
    assert_eq!(code(&body), "provider_failed");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
