//! Calls that recall and remember: what the model sees, what is kept for memory, and what becomes of a call when memory is
//! away.

use contracts::{Event as _, Role, ai::v1::TurnFinished, users::v1::UserErasureRequested};
use serde_json::{Value, json};
use testkit::{
    Actor, Answer, TestApp,
    providers::{FakeProvider, Reply},
};

use crate::{
    fake_memory::FakeMemory,
    ledger_world::eventually,
    world::{CHAT, chat, member, one, one_with, open, post_with, publish, records, streamed},
};
use ai::{Ai, USERS_QUEUE};

/// A body that belongs to a conversation.
fn in_session(said: &str) -> Value {
    let mut body = chat(said);
    body["brainops"] = json!({"session_id": "support-4711"});
    body
}

async fn turn_of(app: &TestApp<Ai>, who: &Actor, completion: &str, service: &str) -> Answer {
    let path = format!("/internal/organizations/{}/completions/{completion}/turn", who.org);
    app.send(reqwest::Method::GET, &path, Some(&app.auth.service_token(service, "ai")), None).await
}

/// The words of the last message that the provider saw.
fn seen(fake: &FakeProvider) -> String {
    fake.last_request().body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_sees_what_is_recalled_and_only_what_was_said_is_kept() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    memory.knows("Facts:\n[1] Lives in Lisbon.");
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let (who, recorder) = (member(), app.record().await);
    fake.next(Reply::text("In Lisbon."));

    let answer = app.post(CHAT, &who, &in_session("Where do I live?")).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-brainops-recalled"), Some("1"));
    assert_eq!(answer.header("x-brainops-warnings"), None);
    let seen = seen(&fake);
    assert!(seen.contains("[1] Lives in Lisbon.") && seen.ends_with("Where do I live?"), "{seen}");
    let asked = memory.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["query"], "Where do I live?");
    assert_eq!(asked[0]["scope"], json!({"user": "me", "shared": true}));
    assert_eq!(asked[0]["top_k"], 8);
    assert_eq!(asked[0].get("except_external_id"), None);

    let (_, event) = recorder.wait(|_: &TurnFinished| true).await;
    assert_eq!((&*event.session_id, &*event.user_id), ("support-4711", &*who.user.to_string()));
    let turn: Value = turn_of(&app, &who, &event.completion_id, "memory").await.json(200);
    assert_eq!(turn["user_id"], who.user.to_string());
    assert_eq!(turn["session_id"], "support-4711");
    let said: Vec<_> = turn["messages"].as_array().unwrap().iter().map(|m| (&m["role"], &m["content"])).collect();
    assert_eq!(said, [(&json!("user"), &json!("Where do I live?")), (&json!("assistant"), &json!("In Lisbon."))]);

    assert_eq!(turn_of(&app, &who, &event.completion_id, "users").await.problem(403), "forbidden");
    let stranger = Actor::new(Role::Owner);
    assert_eq!(turn_of(&app, &stranger, &event.completion_id, "memory").await.problem(404), "turn_not_found");
    let path = format!("/internal/organizations/{}/completions/{}/turn", who.org, event.completion_id);
    for _ in 0..2 {
        let token = app.auth.service_token("memory", "ai");
        assert_eq!(app.send(reqwest::Method::DELETE, &path, Some(&token), None).await.status, 204);
    }
    assert_eq!(turn_of(&app, &who, &event.completion_id, "memory").await.problem(404), "turn_not_found");
    fake.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_is_not_recalled_again_and_only_its_end_is_kept() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let (who, recorder) = (member(), app.record().await);
    let mut body = in_session("Hello");
    body["messages"] = json!([
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "I moved to Lisbon."},
    ]);
    fake.next(Reply::text("How nice."));
    app.post(CHAT, &who, &body).await.json::<Value>(200);
    assert_eq!(memory.asked()[0]["except_external_id"], "support-4711");
    let (_, event) = recorder.wait(|_: &TurnFinished| true).await;
    let turn: Value = turn_of(&app, &who, &event.completion_id, "memory").await.json(200);
    let said: Vec<_> = turn["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["I moved to Lisbon.", "How nice."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_kept_as_far_as_it_came() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let (who, recorder) = (member(), app.record().await);
    for (reply, kept, interrupted) in [
        (Reply::text("one two three"), "one two three", false),
        (Reply::text("one two three four").cut_after(2), "one", true),
    ] {
        fake.next(reply);
        let mut body = streamed("Count");
        body["brainops"] = json!({"session_id": kept, "recall": false});
        open(&app, &who, CHAT, &body).await.text().await.unwrap();
        let (_, event) = recorder.wait(|event: &TurnFinished| event.session_id == kept).await;
        let turn: Value = turn_of(&app, &who, &event.completion_id, "memory").await.json(200);
        let answer = &turn["messages"][1];
        assert_eq!(answer["content"].as_str().unwrap().trim(), kept);
        assert_eq!(answer["interrupted"], interrupted);
    }
    assert_eq!(memory.asked(), Vec::<Value>::new(), "recall was turned off");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_kept_is_no_turn() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let (who, recorder) = (member(), app.record().await);
    let mut unwanted = in_session("Forget this.");
    unwanted["brainops"]["remember"] = json!(false);
    for body in [chat("Forget this."), unwanted, in_session("Keep this.")] {
        app.post(CHAT, &who, &body).await.json::<Value>(200);
    }
    let (_, kept) = recorder.wait(|_: &TurnFinished| true).await;
    // Had the others one, it would have come before.
    assert_eq!(recorder.types().iter().filter(|one| **one == TurnFinished::TYPE).count(), 1);
    let turn: Value = turn_of(&app, &who, &kept.completion_id, "memory").await.json(200);
    assert_eq!(turn["messages"][0]["content"], "Keep this.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_memory_has_not_fetched_is_forgotten_with_the_person() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let (ada, recorder) = (Actor::new(Role::Admin), app.record().await);
    let bob = ada.colleague(Role::Member);
    let mut completions = Vec::new();
    for (who, session, user) in [(&ada, "own", None), (&ada, "customer", Some("customer-7")), (&bob, "other", None)] {
        let mut body = chat("Hello");
        body["brainops"] = json!({"session_id": session, "user": user});
        app.post(CHAT, who, &body).await.json::<Value>(200);
        let (_, turn) = recorder.wait(|turn: &TurnFinished| turn.session_id == session).await;
        completions.push(turn.completion_id);
    }
    app.consuming(USERS_QUEUE).await;
    let asked = UserErasureRequested { user_id: ada.user.to_string(), ..UserErasureRequested::default() };
    publish(&app, &ada, 1, &asked).await;
    eventually("hers is gone", async || turn_of(&app, &ada, &completions[0], "memory").await.status == 404).await;
    for kept in &completions[1..] {
        turn_of(&app, &ada, kept, "memory").await.json::<Value>(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_a_call_goes_on_and_says_so() {
    let fake = FakeProvider::start().await;
    let memory = FakeMemory::start().await;
    let app =
        one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url()), ("BRAINOPS_AI_RECALL_DEADLINE_MS", "50")]).await;
    let who = member();
    memory.hangs();
    let answer = app.post(CHAT, &who, &in_session("Hello")).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-brainops-warnings"), Some("dropped brainops.recall"));
    assert_eq!(answer.header("x-brainops-recalled"), None);

    let app = one(&fake).await;
    let answer = app.post(CHAT, &who, &in_session("Hello")).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-brainops-warnings"), Some("dropped brainops.remember, brainops.recall"));
    assert_eq!(seen(&fake), "Hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_ask_for_what_a_library_cannot_write_into_the_body() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let who = Actor::new(Role::Admin);
    let send = async |headers: &[(&str, &str)]| {
        let mut request = app.request(reqwest::Method::POST, CHAT).bearer_auth(app.auth.token(&who));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to(request.json(&chat("Hello"))).await
    };
    send(&[("x-brainops-recall", "3"), ("x-brainops-user", "customer-7")]).await.json::<Value>(200);
    assert_eq!(memory.asked()[0]["scope"]["user"], "customer-7");
    assert_eq!(memory.asked()[0]["top_k"], 3);
    send(&[("x-brainops-session-id", "s"), ("x-brainops-recall", "false")]).await.json::<Value>(200);
    assert_eq!(memory.asked().len(), 1);
    for (name, value) in [("x-brainops-recall", "51"), ("x-brainops-remember", "maybe"), ("x-brainops-user", "")] {
        let refused: Value = send(&[(name, value)]).await.json(400);
        assert_eq!(refused["error"]["param"], name);
    }
    let refused: Value = send(&[("x-brainops-remember", "true")]).await.json(400);
    assert_eq!(refused["error"]["param"], "brainops.session_id");
    assert_eq!(records(&app, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_needs_its_scopes_and_nobody_talks_for_another_member() {
    let (fake, memory) = (FakeProvider::start().await, FakeMemory::start().await);
    let app = one_with(&fake, &[("BRAINOPS_MEMORY_URL", &memory.url())]).await;
    let who = member();
    let token = app.auth.token_with(&who, |claims| claims.scope = "ai:invoke".parse().unwrap());
    let send = async |brainops: Value| {
        let mut body = chat("Hello");
        body["brainops"] = brainops;
        app.send(reqwest::Method::POST, CHAT, Some(&token), Some(&body)).await
    };
    let answer = send(json!({"session_id": "s"})).await;
    answer.json::<Value>(200);
    assert_eq!(answer.header("x-brainops-warnings"), Some("dropped brainops.recall, brainops.remember"));
    assert_eq!(send(json!({"recall": true})).await.status, 403);
    assert_eq!(send(json!({"session_id": "s", "recall": false, "remember": true})).await.status, 403);

    let named = |user: String| {
        let mut body = chat("Hello");
        body["brainops"] = json!({"recall": true, "user": user});
        body
    };
    let admin = who.colleague(Role::Admin);
    assert_eq!(app.post(CHAT, &who, &named("customer-7".into())).await.status, 403, "a member has no customers");
    assert_eq!(app.post(CHAT, &admin, &named(who.user.to_string())).await.status, 403, "nobody is another member");
    assert_eq!(app.post(CHAT, &who, &named(who.user.to_string())).await.status, 200);
    assert_eq!(memory.asked().len(), 1);
    let header = ("x-brainops-user", "customer-7");
    assert_eq!(post_with(&app, &who, &chat("Hello"), header).await.status, 403);
}
