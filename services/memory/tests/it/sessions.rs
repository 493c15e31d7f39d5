//! Conversations over HTTP, and the events that follow.

use contracts::{
    Role,
    memory::v1::{MemoryForgotten, SessionStarted},
};
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{Stage, strings};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_can_be_read_and_is_published() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let body = json!({"title": "Broken lamp", "agent": "support", "metadata": {"ticket": 7}});
    let answer = stage.app.post("/v1/memory/sessions", &ada, &body).await;
    let session: Value = answer.json(201);
    assert_eq!((&session["title"], &session["user"]), (&json!("Broken lamp"), &json!(ada.user)));
    assert_eq!((&session["message_count"], &session["version"]), (&json!(0), &json!(1)));
    assert_eq!(stage.app.get(answer.header("location").unwrap(), &ada).await.json::<Value>(200), session);

    let (envelope, started) = events.wait::<SessionStarted>(|_| true).await;
    assert_eq!((&json!(started.session_id), started.agent.as_deref()), (&session["id"], Some("support")));
    assert_eq!((envelope.org, envelope.actor, envelope.sequence), (Some(ada.org), Some(ada.user.uuid()), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_walk_through_everything_once_the_newest_first() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    for n in 0..7 {
        let more = json!({"title": format!("Number {n}"), "agent": if n == 3 { "other" } else { "support" }});
        stage.session(&ada, &more).await;
    }
    let (mut titles, mut path) = (Vec::new(), "/v1/memory/sessions?limit=3&agent=support".to_owned());
    loop {
        let page: Value = stage.app.get(&path, &ada).await.json(200);
        titles.extend(strings(&page["items"], "title"));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/memory/sessions?limit=3&agent=support&cursor={cursor}");
    }
    assert_eq!(titles, [6, 5, 4, 2, 1, 0].map(|n| format!("Number {n}")));
    assert_eq!(stage.app.get("/v1/memory/sessions?cursor=forged", &ada).await.problem(400), "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_id_names_one_session_of_a_user() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Admin);
    let body = json!({"external_id": "ticket-4711"});
    stage.session(&ada, &body).await;
    assert_eq!(stage.app.post("/v1/memory/sessions", &ada, &body).await.problem(409), "session_exists");
    stage.session(&ada, &json!({"external_id": "ticket-4711", "user": "customer-7"})).await;
    stage.session(&ada.colleague(Role::Member), &body).await;
    let list: Value = stage.app.get("/v1/memory/sessions?external_id=ticket-4711&user=me", &ada).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_stored() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let long = "x".repeat(300);
    for (bad, field) in [
        (json!({"title": " "}), "title"),
        (json!({"title": long}), "title"),
        (json!({"agent": ""}), "agent"),
        (json!({"user": "\u{7}"}), "user"),
        (json!({"external_id": long}), "external_id"),
        (json!({"project_id": "none"}), "project_id"),
        (json!({"metadata": {"a": "x".repeat(9000)}}), "metadata"),
        (json!({"org_id": "y"}), "org_id"),
    ] {
        assert_eq!(stage.app.post("/v1/memory/sessions", &ada, &bad).await.bad_fields(422), [field], "{bad}");
    }
    let list: Value = stage.app.get("/v1/memory/sessions", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_with_one_key_is_one_session() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let create = async |title: &str| stage.post_once("/v1/memory/sessions", &ada, &json!({ "title": title })).await;
    let (first, again) = (create("Once").await, create("Once").await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(create("Twice").await.problem(422), "idempotency_mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_goes_on_from_an_earlier_turn() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({"title": "Trip"})).await;
    stage.say(&session, &ada, &["one", "two", "three"]).await;
    let made = stage.app.post(&format!("{session}/fork"), &ada, &json!({"at": 2})).await;
    let fork: Value = made.json(201);
    assert_eq!((&fork["title"], &fork["message_count"]), (&json!("Trip"), &json!(2)));
    let path = made.header("location").unwrap().to_owned();
    stage.say(&path, &ada, &["instead of three", "four"]).await;
    let turns = async |query: &str| {
        let list: Value = stage.app.get(&format!("{path}/messages{query}"), &ada).await.json(200);
        strings(&list["items"], "content")
    };
    assert_eq!(turns("").await, ["one", "two", "instead of three", "four"]);
    assert_eq!(turns("?order=desc&limit=3").await, ["four", "instead of three", "two"]);
    let second = stage.app.post(&format!("{path}/fork"), &ada, &json!({"at": 1})).await;
    second.json::<Value>(201);
    let list: Value = stage.app.get(&format!("{}/messages", second.header("location").unwrap()), &ada).await.json(200);
    assert_eq!(strings(&list["items"], "content"), ["one"]);
    assert_eq!(stage.app.post(&format!("{path}/fork"), &ada, &json!({"at": 9})).await.bad_fields(422), ["at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_session_is_gone_with_what_was_taken_from_it() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let turns = stage.say(&session, &ada, &["I moved to Lisbon", "I have a dog"]).await;
    let taken = stage.remember(&ada, "Lives in Lisbon", &json!({"source_message_ids": [turns[0]]})).await;
    let elsewhere = "01890a5d-ac99-7000-8000-0000000000ff";
    let kept = stage.remember(&ada, "Has a dog", &json!({"source_message_ids": [turns[1], elsewhere]})).await;
    stage.embedded(&ada, &["I moved to Lisbon", "Lives in Lisbon"]).await;
    assert_eq!(stage.delete(&session, &ada).await.status, 204);
    assert_eq!(stage.app.get(&session, &ada).await.problem(404), "session_not_found");
    assert_eq!(stage.app.get(&format!("/v1/memory/memories/{taken}"), &ada).await.problem(404), "memory_not_found");
    assert_eq!(stage.app.get(&format!("/v1/memory/memories/{kept}"), &ada).await.status, 200);
    assert_eq!(stage.found(&ada, "Who lives in Lisbon with a dog?").await, ["Has a dog"]);
    let (_, event) = events.wait::<MemoryForgotten>(|event| event.kind == "session").await;
    assert_eq!(event.entries, 2);
    assert_eq!(stage.delete(&session, &ada).await.status, 204, "as often as you like");
}

/// The answer to an append has all that was said, and is kept with its key.
#[tokio::test(flavor = "multi_thread")]
async fn as_much_as_a_request_may_say_is_said_once() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let message = json!({"role": "tool", "content": "\u{1}".repeat(24 << 10), "tool_call_id": "call"});
    let body = json!({"messages": vec![message; 7]});
    assert!(body.to_string().len() > 1_000_000);
    let path = format!("{session}/messages");
    let (first, again) = (stage.post_once(&path, &ada, &body).await, stage.post_once(&path, &ada, &body).await);
    assert_eq!((first.status, again.status), (201, 201), "{first:?}");
    assert_eq!(first.body, again.body);
    assert_eq!(stage.count("FROM memory.messages").await, 7);
}
