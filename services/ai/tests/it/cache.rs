//! Answers that are given again, only to those who asked for it and only within their organization.

use std::time::Duration;

use ai::Ai;
use contracts::Role;
use serde_json::{Value, json};
use testkit::{
    Actor, Answer, TestApp,
    providers::{FakeProvider, Gate, Reply},
};

use crate::world::{CHAT, chat, member, one, open, post_with, records, said, streamed};

const SHORT: Duration = Duration::from_millis(20);

/// A value of the service's metrics; 0 as long as it is not there.
async fn metric(app: &TestApp<Ai>, named: &str) -> f64 {
    let page = Answer::to(kit::outbound::plain_client().get(format!("{}/metrics", app.private_url))).await.text();
    let value = page.lines().find_map(|line| line.strip_prefix(named)?.trim().parse().ok());
    value.unwrap_or_default()
}

/// Until so many calls wait for another's.
async fn shared(app: &TestApp<Ai>, calls: u32) {
    while metric(app, "ai_response_cache_total{result=\"shared\",service=\"ai\"}").await < f64::from(calls) {
        tokio::time::sleep(SHORT).await;
    }
}

/// Requests that are being worked on.
async fn in_flight(app: &TestApp<Ai>) -> f64 {
    metric(app, "http_requests_in_flight{service=\"ai\"}").await
}

fn cached(text: &str) -> Value {
    let mut body = chat(text);
    body["brainops"] = json!({"cache": {"mode": "use"}});
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_is_answered_once_and_costs_once() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let first = app.post(CHAT, &who, &cached("Hello")).await;
    let second = app.post(CHAT, &who.colleague(Role::Admin), &cached("Hello")).await;
    assert_eq!((first.header("x-brainops-cache"), second.header("x-brainops-cache")), (Some("miss"), Some("hit")));
    assert_eq!(second.header("x-brainops-cost-nanousd"), Some("0"));
    let (first, second): (Value, Value) = (first.json(200), second.json(200));
    assert_eq!((&first["choices"], &first["usage"]), (&second["choices"], &second["usage"]));
    assert_ne!(first["id"], second["id"]);
    assert_eq!(fake.requests().len(), 1);
    let records = records(&app, 2).await;
    let told: Vec<_> = records.iter().map(|record| (record.cached, record.cost_nano_usd > 0)).collect();
    assert_eq!(told, [(false, true), (true, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_never_gets_it() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    for _ in 0..2 {
        let answer = app.post(CHAT, &Actor::new(Role::Member), &cached("Hello")).await;
        assert_eq!(answer.header("x-brainops-cache"), Some("miss"));
    }
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_asks_for_it_and_depends_on_itself_alone_is_kept() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let mut warm = cached("Hello");
    warm["temperature"] = json!(0.7);
    let mut many = cached("Hello");
    many["n"] = json!(2);
    for body in [chat("Hello"), warm, many] {
        for _ in 0..2 {
            let answer = app.post(CHAT, &who, &body).await;
            answer.json::<Value>(200);
            assert_eq!(answer.header("x-brainops-cache"), Some("bypass"), "{body}");
        }
    }
    assert_eq!(fake.requests().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_model_sees_makes_another_request_and_the_session_does_not() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let cache = |body: Value| {
        let (app, who) = (&app, &who);
        async move { app.post(CHAT, who, &body).await.header("x-brainops-cache").map(str::to_owned) }
    };
    assert_eq!(cache(cached("Hello")).await.as_deref(), Some("miss"));
    for (field, value) in
        [("max_tokens", json!(9)), ("temperature", json!(0)), ("stop", json!(["x"])), ("seed", json!(1))]
    {
        let mut body = cached("Hello");
        body[field] = value;
        assert_eq!(cache(body).await.as_deref(), Some("miss"), "{field}");
    }
    assert_eq!(cache(cached("Hello ")).await.as_deref(), Some("miss"));
    let mut body = cached("Hello");
    body["brainops"]["session_id"] = json!("another");
    assert_eq!(cache(body).await.as_deref(), Some("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_can_be_streamed() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    fake.next(Reply::text("kept for you"));
    app.post(CHAT, &who, &cached("Hello")).await.json::<Value>(200);
    let mut body = streamed("Hello");
    body["brainops"] = json!({"cache": {"mode": "use"}});
    let answer = open(&app, &who, CHAT, &body).await;
    assert_eq!(answer.headers()["x-brainops-cache"], "hit");
    let text = answer.text().await.unwrap();
    assert_eq!(said(&text), "kept for you");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_asks_for_it_too() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    for expected in ["miss", "hit"] {
        let answer = post_with(&app, &who, &chat("Hello"), ("x-brainops-cache", "use")).await;
        assert_eq!(answer.header("x-brainops-cache"), Some(expected));
    }
    let answer = post_with(&app, &who, &chat("Hello"), ("x-brainops-cache", "perhaps")).await;
    assert_eq!(answer.json::<Value>(400)["error"]["param"], "x-brainops-cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn identical_calls_at_once_are_one_at_the_provider() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let gate = Gate::new();
    fake.next(Reply::text("for all of you").held(&gate));
    let calls = futures_util::future::join_all((0..8).map(|_| async {
        app.post(CHAT, &who, &cached("Hello")).await.json::<Value>(200)["choices"][0]["message"]["content"].clone()
    }));
    let opened = async {
        fake.wait_for_request().await;
        shared(&app, 7).await;
        gate.open();
    };
    let (answers, ()) = futures_util::join!(calls, opened);
    assert!(answers.iter().all(|answer| answer == "for all of you"), "{answers:?}");
    assert_eq!(fake.requests().len(), 1);
    let records = records(&app, 8).await;
    assert_eq!(records.len(), 8);
    assert_eq!(records.iter().filter(|record| record.cost_nano_usd > 0).count(), 1);
    assert_eq!(records.iter().filter(|record| record.cached).count(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_do_not_fail_when_the_first_leaves() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    let gate = Gate::new();
    fake.next(Reply::text("still here").held(&gate));
    let body = cached("Hello");
    let first = open(&app, &who, CHAT, &body);
    let mut first = Box::pin(first);
    tokio::select! {
        _ = &mut first => panic!("there is no answer yet"),
        _ = fake.wait_for_request() => {}
    }
    let second = app.post(CHAT, &who, &body);
    let leave = async {
        shared(&app, 1).await;
        drop(first);
        // The first was the only one whose call could have been seen to end.
        while in_flight(&app).await > 1.0 {
            tokio::time::sleep(SHORT).await;
        }
        gate.open();
    };
    let (second, ()) = futures_util::join!(second, leave);
    assert_eq!(second.json::<Value>(200)["choices"][0]["message"]["content"], "still here");
    assert_eq!((fake.requests().len(), fake.cancelled()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shared_but_not_kept() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let who = member();
    fake.next(Reply::error(400, "invalid_request_error", "no"));
    app.post(CHAT, &who, &cached("Hello")).await.json::<Value>(400);
    app.post(CHAT, &who, &cached("Hello")).await.json::<Value>(200);
}
