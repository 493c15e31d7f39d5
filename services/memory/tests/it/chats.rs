//! Turns of chats that ai hands over, and people who want to be forgotten.

use contracts::{
    CloudEvent, Event, EventId, Origin, Role,
    ai::v1::TurnFinished,
    memory::v1::{MessageStored, SessionStarted},
    users::v1::UserErasureRequested,
};
use kit::{Ids as _, RandomIds};
use serde_json::{Value, json};
use testkit::{Actor, test_start};

use crate::{
    fake_ai::FakeAi,
    support::{Stage, eventually, strings},
};

const AI_QUEUE: &str = "memory.ai";
const USERS_QUEUE: &str = "memory.users";

async fn stage(ai: &FakeAi) -> Stage {
    let stage = Stage::with(|app| app.env("BRAINOPS_AI_URL", ai.url.clone())).await;
    stage.app.consuming(AI_QUEUE).await;
    stage
}

/// A turn of somebody in a conversation; gives the news of it.
fn said(ai: &FakeAi, who: &Actor, user: Option<&str>, session: &str, messages: &Value) -> CloudEvent {
    let completion = RandomIds.uuid().to_string();
    let turn = json!({
        "user_id": who.user, "user": user, "session_id": session, "model": "local",
        "messages": messages, "finished_at": test_start(),
    });
    ai.holds(&who.org.to_string(), &completion, turn);
    let event = TurnFinished {
        completion_id: completion,
        organization_id: who.org.to_string(),
        user_id: who.user.to_string(),
        session_id: session.to_owned(),
        finished_at: Some(test_start().into()),
    };
    news(Some(who), &event)
}

fn message(role: &str, content: &str) -> Value {
    json!({
        "role": role, "author": null, "content": content, "tool_calls": null, "tool_call_id": null, "interrupted": false,
    })
}

fn news<E: Event>(who: Option<&Actor>, event: &E) -> CloudEvent {
    let (actor, org) = (who.map(|who| who.user.uuid()), who.map(|who| who.org));
    let origin = Origin { actor, org, traceparent: None, at: test_start() };
    CloudEvent::new(EventId::from_uuid(RandomIds.uuid()), &origin, 1, event).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_of_a_chat_is_kept_once_and_found() {
    let ai = FakeAi::start();
    let stage = stage(&ai).await;
    let ada = Actor::new(Role::Member);
    let events = stage.app.record().await;
    let turn = json!([message("user", "I moved to Lisbon last week."), message("assistant", "How do you like it?")]);
    let first = said(&ai, &ada, None, "support-4711", &turn);
    // It may be told twice, and ai may be away for a moment.
    ai.fails(1);
    for _ in 0..2 {
        stage.app.publish(&first).await;
    }
    let (envelope, _) = events.wait::<MessageStored>(|stored| stored.role == "assistant").await;
    assert_eq!((envelope.org, envelope.actor), (Some(ada.org), Some(ada.user.uuid())));
    let (_, started) = events.wait::<SessionStarted>(|_| true).await;
    assert_eq!(started.subject.as_deref(), Some(ada.user.to_string().as_str()));

    let mut second = message("assistant", "Rarely");
    second["interrupted"] = json!(true);
    let call = json!([{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]);
    second["tool_calls"] = call.clone();
    stage
        .app
        .publish(&said(&ai, &ada, None, "support-4711", &json!([message("user", "Does it rain there?"), second])))
        .await;
    eventually("ai holds nothing any more", async || ai.left() == 0).await;

    let sessions: Value = stage.app.get("/v1/memory/sessions?external_id=support-4711", &ada).await.json(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    let path = format!("/v1/memory/sessions/{}/messages", sessions["items"][0]["id"].as_str().unwrap());
    let kept: Value = stage.app.get(&path, &ada).await.json(200);
    let all = ["I moved to Lisbon last week.", "How do you like it?", "Does it rain there?", "Rarely"];
    assert_eq!(strings(&kept["items"], "content"), all);
    let last = &kept["items"][3];
    assert_eq!((&last["tool_calls"], &last["metadata"]), (&call, &json!({"model": "local", "interrupted": true})));
    assert!(last["completion_id"].is_string());

    assert_eq!(stage.found(&ada, "Where did I move?").await[0], all[0]);
    let context = json!({"query": "Where did I move?", "scope": {"user": "me", "shared": true}, "top_k": 1});
    let context: Value = stage.app.post("/v1/memory/context", &ada, &context).await.json(200);
    assert_eq!(context["citations"].as_array().unwrap().len(), 1);
    let known = json!({"query": "Where did I move?", "scope": {"user": "me"}, "except_external_id": "support-4711"});
    let known: Value = stage.app.post("/v1/memory/context", &ada, &known).await.json(200);
    assert_eq!(known["text"], "", "the prompt has it");
    let colleague = ada.colleague(Role::Admin);
    assert!(stage.found(&colleague, "Where did I move?").await.is_empty());
    assert!(stage.app.dead_letters(AI_QUEUE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_of_an_application_has_a_memory_of_their_own() {
    let ai = FakeAi::start();
    let stage = stage(&ai).await;
    let key = Actor::new(Role::Admin);
    stage.remember(&key, "The office is closed in August.", &json!({"user": null})).await;
    for (user, city) in [("customer-7", "Lisbon"), ("customer-8", "Oslo")] {
        let turn = json!([message("user", &format!("I live in {city}."))]);
        // Both call their conversation the same.
        stage.app.publish(&said(&ai, &key, Some(user), "chat", &turn)).await;
    }
    eventually("both are kept", async || ai.left() == 0).await;
    for (user, city, other) in [("customer-7", "Lisbon", "Oslo"), ("customer-8", "Oslo", "Lisbon")] {
        let ask = json!({"query": "Where do I live, and when is the office closed?", "scope": {"user": user, "shared": true}});
        let context: Value = stage.app.post("/v1/memory/context", &key, &ask).await.json(200);
        let text = context["text"].as_str().unwrap();
        assert!(text.contains(city) && text.contains("August") && !text.contains(other), "{text}");
    }
    let ask = json!({"query": "Where do I live?", "scope": {"user": "me", "shared": true}});
    let own: Value = stage.app.post("/v1/memory/context", &key, &ask).await.json(200);
    assert!(!own["text"].as_str().unwrap().contains("live"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_gone_is_none() {
    let ai = FakeAi::start();
    let stage = stage(&ai).await;
    let ada = Actor::new(Role::Member);
    let gone = TurnFinished {
        completion_id: RandomIds.uuid().to_string(),
        organization_id: ada.org.to_string(),
        ..TurnFinished::default()
    };
    for event in [news(Some(&ada), &gone), said(&ai, &ada, None, "s", &json!([message("user", "Keep this.")]))] {
        stage.app.publish(&event).await;
    }
    eventually("the last is kept", async || stage.found(&ada, "keep").await == ["Keep this."]).await;
    assert!(stage.app.dead_letters(AI_QUEUE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_be_forgotten_is() {
    let stage = Stage::start().await;
    stage.app.consuming(USERS_QUEUE).await;
    let (ada, elsewhere) = (Actor::new(Role::Admin), Actor::new(Role::Member));
    let elsewhere = Actor { user: ada.user, ..elsewhere };
    let bob = ada.colleague(Role::Member);
    for who in [&ada, &elsewhere, &bob] {
        let session = stage.session(who, &json!({})).await;
        stage.say(&session, who, &["I moved to Lisbon."]).await;
        stage.remember(who, "Lives in Lisbon.", &json!({})).await;
        let collection = stage.collection(who, "Notes", &json!({})).await;
        stage.indexed_text(who, &collection, "Lisbon is by the sea.").await;
        let said = json!({"messages": [{"role": "user", "content": "I like Lisbon."}]});
        assert_eq!(stage.post_once(&format!("{session}/messages"), who, &said).await.status, 201);
    }
    stage.remember(&ada, "The office is in Lisbon.", &json!({"user": null})).await;
    let asked = UserErasureRequested { user_id: ada.user.to_string(), ..UserErasureRequested::default() };
    stage.app.publish(&news(None, &asked)).await;
    eventually("nothing of hers is found", async || {
        stage.found(&ada, "Lisbon").await == ["The office is in Lisbon."]
            && stage.found(&elsewhere, "Lisbon").await.is_empty()
    })
    .await;
    eventually("her sessions and collections are gone", async || {
        let mut left = 0;
        for path in ["/v1/memory/sessions", "/v1/memory/collections"] {
            for who in [&ada, &elsewhere] {
                let list: Value = stage.app.get(path, who).await.json(200);
                left += list["items"].as_array().unwrap().len();
            }
        }
        left == 0
    })
    .await;
    eventually("no answer to her is kept", async || stage.count("FROM memory.idempotency_keys").await == 1).await;
    assert_eq!(stage.found(&bob, "Lisbon").await.len(), 5);
    assert_eq!(stage.rows_of_documents().await[0], 1);
    assert!(stage.app.dead_letters(USERS_QUEUE).await.is_empty());
}
