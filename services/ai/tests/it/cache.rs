//! Answers that are given again, only to those who asked for it and only within their organization.

use contracts::Role;
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{FakeProvider, Gate, Reply},
};

use crate::world::{CHAT, chat, member, one, open, post_with, records, said, streamed};

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
        // The others have no sign of their own by which one could await them.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
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
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        drop(first);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
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
