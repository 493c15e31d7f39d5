//! What is taken from conversations, and what is not.

use contracts::{
    Role,
    memory::v1::{MemoryAdded, MemorySuperseded},
};
use serde_json::{Value, json};
use testkit::{Actor, providers::Gate};

use super::{Listening, fact, facts};
use crate::support::strings;

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_taken_from_what_was_said() {
    let it = Listening::start().await;
    let events = it.stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let session = it.stage.session(&ada, &json!({"agent": "support"})).await;
    it.stage.say(&session, &ada, &["How is Ana?"]).await;
    it.settled().await;
    let about_ana = json!({"text": "Ana got a dog.", "about": "Ana", "source_turns": [1], "supersedes": null});
    it.model.next(facts(&[about_ana, fact("The user drinks green tea.", &[2, 1], None)]));
    let turns = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "She got a dog.", "author": "Max"},
        {"role": "tool", "content": "18 degrees", "tool_call_id": "call_1"},
        {"role": "user", "content": "<recalled-memory>The user drinks coffee.</recalled-memory> I drink green tea now."},
        {"role": "user", "content": "Lives in Lisbon.", "metadata": {"recalled": true}},
    ]});
    let stored: Value = it.stage.app.post(&format!("{session}/messages"), &ada, &turns).await.json(201);
    let ids = strings(&stored["items"], "id");
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks green tea.", "Ana got a dog."]);
    let memories = it.memories(&ada).await;
    assert_eq!(memories[0]["source_message_ids"], json!([ids[1], ids[3]]));
    assert_eq!(memories[1]["source_message_ids"], json!([ids[1]]));
    assert_eq!(memories[1]["metadata"], json!({"about": "Ana"}));
    for memory in &memories {
        assert_eq!(
            (&memory["source"], &memory["user"], &memory["agent"], &memory["session_id"]),
            (&json!("extracted"), &json!(ada.user), &json!("support"), &Value::Null)
        );
        assert!(memory["confidence"].as_f64().is_some_and(|sure| (0.4..1.0).contains(&sure)), "{memory}");
    }
    assert!(it.stage.found(&ada, "green tea").await.contains(&"The user drinks green tea.".to_owned()));
    let (_, added) = events.wait::<MemoryAdded>(|_| true).await;
    assert_eq!((added.source.as_str(), added.subject.as_deref()), ("extracted", Some(ada.user.to_string().as_str())));

    let task = it.tasks().pop().unwrap();
    assert_eq!(strings(&task["earlier_turns"], "text"), ["How is Ana?"]);
    assert_eq!(strings(&task["new_turns"], "text"), ["She got a dog.", "I drink green tea now."]);
    assert_eq!(strings(&task["new_turns"], "speaker"), ["Max", "user"]);
    let asked = it.model.last_request().body;
    assert_eq!((&asked["temperature"], &asked["model"]), (&json!(0.0), &json!("gpt-5-mini")));
    assert_eq!(asked["response_format"]["json_schema"]["strict"], true);
    it.model.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_that_wait_together_are_one_task_and_none_is_given_twice() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let gate = Gate::new();
    it.model.next(facts(&[]).held(&gate));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["One"]).await;
    it.stage.say(&session, &ada, &["Two"]).await;
    it.model.wait_for_request().await;
    it.stage.say(&session, &ada, &["Three"]).await;
    it.stage.say(&session, &ada, &["Four"]).await;
    gate.open();
    it.settled().await;
    let given: Vec<_> = it.tasks().iter().map(|task| strings(&task["new_turns"], "text")).collect();
    assert_eq!(given, [["One", "Two"], ["Three", "Four"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_dealt_with_in_pieces() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let session = it.stage.session(&ada, &json!({})).await;
    let long = |n: usize| format!("{n} {}", "words ".repeat(900));
    let texts: Vec<_> = (0..3).map(long).chain(["x".repeat(100_000)]).collect();
    it.stage.say(&session, &ada, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    it.settled().await;
    let tasks = it.tasks();
    let given: Vec<_> = tasks.iter().flat_map(|task| strings(&task["new_turns"], "text")).collect();
    assert_eq!((tasks.len(), given.len()), (4, 4));
    assert_eq!(given[3].len(), 6_000, "the beginning of a page");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_not_remembered_again() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let known = it.stage.remember(&ada, "The user drinks green tea.", &json!({})).await;
    let tea = |text: &str| fact(text, &[1], None);
    it.model.next(facts(&[
        tea("the user drinks  GREEN tea"),
        tea("The user drinks tea."),
        tea("The user drinks tea!"),
    ]));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks tea.", "The user drinks green tea."]);
    assert_eq!(it.memories(&ada).await[1]["id"], json!(known));
    let task = it.tasks().pop().unwrap();
    assert_eq!(task["memories"], json!([{"number": 1, "text": "The user drinks green tea."}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_contradicted_is_superseded() {
    let it = Listening::start().await;
    let events = it.stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let (then, later) = ("2023-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    let lisbon = it.stage.remember(&ada, "The user lives in Lisbon.", &json!({"valid_from": then})).await;
    it.model.next(facts(&[fact("The user lives in Porto.", &[1], Some(1))]));
    let session = it.stage.session(&ada, &json!({})).await;
    let moved = json!({"messages": [{"role": "user", "content": "I live in Porto now.", "occurred_at": later}]});
    it.stage.app.post(&format!("{session}/messages"), &ada, &moved).await.json::<Value>(201);
    it.settled().await;
    let path = format!("/v1/memory/memories/{lisbon}");
    let old: Value = it.stage.app.get(&path, &ada).await.json(200);
    let new = it.memories(&ada).await.remove(0);
    assert_eq!((&new["text"], &new["valid_from"]), (&json!("The user lives in Porto."), &json!(later)));
    assert_eq!((&old["valid_to"], &old["superseded_by"]), (&json!(later), &new["id"]));
    let history: Value = it.stage.app.get(&format!("{path}/history"), &ada).await.json(200);
    let last = &history["items"][1];
    assert_eq!(
        (&last["change"], &last["new_text"], &last["actor_id"]),
        (&json!("superseded"), &json!("The user lives in Porto."), &Value::Null)
    );
    let (_, event) = events.wait::<MemorySuperseded>(|_| true).await;
    assert_eq!(json!(event.superseded_by_memory_id), new["id"]);
    let facts = json!({"filter": {"kinds": ["memory"]}});
    let found = it.stage.search_with(&ada, "Where does the user live?", &facts).await;
    assert_eq!(strings(&found["hits"], "text"), ["The user lives in Porto."]);
    let past = json!({"filter": {"kinds": ["memory"], "as_of": "2023-07-01T00:00:00Z"}});
    let found = it.stage.search_with(&ada, "Where does the user live?", &past).await;
    assert_eq!(strings(&found["hits"], "text"), ["The user lives in Lisbon."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_long_ago_does_not_supersede_what_holds_since() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let since = "2024-06-01T00:00:00Z";
    it.stage.remember(&ada, "The user lives in Porto.", &json!({"valid_from": since})).await;
    it.model.next(facts(&[fact("The user lives in Lisbon.", &[1], Some(1))]));
    let session = it.stage.session(&ada, &json!({})).await;
    let said = json!({"role": "user", "content": "I live in Lisbon.", "occurred_at": "2023-01-01T00:00:00Z"});
    let said = json!({ "messages": [said] });
    it.stage.app.post(&format!("{session}/messages"), &ada, &said).await.json::<Value>(201);
    it.settled().await;
    let memories = it.memories(&ada).await;
    assert_eq!((&memories[0]["text"], &memories[0]["valid_to"]), (&json!("The user lives in Lisbon."), &json!(since)));
    assert_eq!((&memories[1]["valid_to"], &memories[1]["superseded_by"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_turns_do_not_say_is_not_believed() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.next(facts(&[
        fact("The user drinks green tea.", &[7], None),
        fact("The user drinks green tea.", &[], None),
        fact("The user plays the guitar.", &[1], None),
        fact("The user drinks green tea in Madrid.", &[1], None),
        fact("The user drinks tea.", &[1], Some(42)),
    ]));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks tea."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_memories_are_shown_to_the_model() {
    let it = Listening::start().await;
    let boss = Actor::new(Role::Owner);
    let (ada, stranger) = (boss.colleague(Role::Member), Actor::new(Role::Owner));
    let tea = |whose: &str| format!("Drinks green tea: {whose}");
    for (who, whose, more) in [
        (&stranger, "another organization's", json!({})),
        (&stranger, "what another organization shares", json!({"user": null})),
        (&boss, "a colleague's", json!({})),
        (&boss, "a customer's", json!({"user": "customer-7"})),
        (&boss, "what is shared", json!({"user": null})),
        (&ada, "my own with an agent", json!({"agent": "barista"})),
        (&ada, "my own", json!({})),
    ] {
        it.stage.remember(who, &tea(whose), &more).await;
    }
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["memories"], "text"), [tea("my own")]);
    let shared = it.stage.session(&boss, &json!({"user": null})).await;
    it.stage.say(&shared, &boss, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["memories"], "text"), [tea("what is shared")]);
    let customer = it.stage.session(&boss, &json!({"user": "customer-7"})).await;
    it.stage.say(&customer, &boss, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["memories"], "text"), [tea("a customer's")]);
}
