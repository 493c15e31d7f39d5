//! One session and what was taken from it.

use contracts::Role;
use serde_json::{Value, json};
use testkit::Actor;

use super::{export, import, tallies};
use crate::support::{Stage, strings};

/// The lines of one session.
async fn export_session(stage: &Stage, who: &Actor, session: &str) -> Vec<Value> {
    let answer = stage.app.get(&format!("{session}/export"), who).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"session.ndjson\""));
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Two sessions, memories that belong to the first or were taken from its turns, and others.
async fn two_sessions(stage: &Stage, who: &Actor) -> [String; 2] {
    let first = stage.session(who, &json!({"title": "First", "agent": "support"})).await;
    let turns = stage.say(&first, who, &["I moved to Lisbon.", "I have a dog."]).await;
    let second = stage.session(who, &json!({"title": "Second"})).await;
    let other = stage.say(&second, who, &["I like tea."]).await;
    let id = first.rsplit('/').next().unwrap();
    stage.remember(who, "Belongs to it", &json!({"session_id": id})).await;
    stage.remember(who, "Taken from it", &json!({"source_message_ids": [turns[0]], "agent": "support"})).await;
    stage.remember(who, "Taken from both", &json!({"source_message_ids": [other[0], turns[1]]})).await;
    stage.remember(who, "Taken from the other", &json!({"source_message_ids": [other[0]]})).await;
    stage.remember(who, "Of no session", &json!({})).await;
    [first, second]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_exported_with_all_that_was_taken_from_it() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let [first, second] = two_sessions(&stage, &ada).await;
    let lines = export_session(&stage, &ada, &first).await;
    assert_eq!(strings(&json!(lines), "type").join(" "), "session message message memory memory memory");
    assert_eq!(strings(&json!(lines[1..3]), "content"), ["I moved to Lisbon.", "I have a dog."]);
    assert_eq!(strings(&json!(lines[3..]), "text"), ["Belongs to it", "Taken from it", "Taken from both"]);
    let query = format!("?session_id={}", lines[0]["id"].as_str().unwrap());
    assert_eq!(export(&stage, &ada, &query).await, lines, "the same as that part of an export of everything");
    let other = export_session(&stage, &ada, &second).await;
    assert_eq!(strings(&json!(other[2..]), "text"), ["Taken from both", "Taken from the other"]);
    let empty = stage.session(&ada, &json!({})).await;
    assert_eq!(strings(&json!(export_session(&stage, &ada, &empty).await), "type"), ["session"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_comes_back_elsewhere_as_it_was() {
    let stage = Stage::start().await;
    let (ada, eve) = (Actor::new(Role::Member), Actor::new(Role::Member));
    let [first, _] = two_sessions(&stage, &ada).await;
    let lines = export_session(&stage, &ada, &first).await;

    let report = import(&stage, &eve, "?user=me", &lines).await;
    assert_eq!((tallies(&report), &report["refused"]), (vec![(1, 0), (2, 0), (3, 0)], &json!(0)), "{report}");
    let list: Value = stage.app.get("/v1/memory/sessions", &eve).await.json(200);
    let copy = format!("/v1/memory/sessions/{}", list["items"][0]["id"].as_str().unwrap());
    let copied = export_session(&stage, &eve, &copy).await;
    let said = |lines: &[Value]| {
        let mut said: Vec<_> = lines
            .iter()
            .map(|line| ["type", "title", "agent", "content", "text"].map(|field| line[field].to_string()))
            .collect();
        said.sort();
        said
    };
    assert_eq!(said(&copied), said(&lines));
    assert_ne!(copied[0]["id"], lines[0]["id"], "the id is another organization's");
    let named = |text: &str| {
        let fits = |line: &&Value| line["content"] == text || line["text"] == text;
        copied.iter().find(fits).unwrap().clone()
    };
    assert_eq!(named("Belongs to it")["session_id"], copied[0]["id"]);
    assert_eq!(named("Taken from it")["source_message_ids"], json!([named("I moved to Lisbon.")["id"]]));
    assert_eq!(named("Taken from both")["source_message_ids"][1], named("I have a dog.")["id"]);

    stage.delete(&first, &ada).await;
    let back = import(&stage, &ada, "", &lines).await;
    // "Taken from both" was not forgotten with the session; only where it came from is not the same any more.
    assert_eq!((tallies(&back), &back["refused"]), (vec![(1, 0), (2, 0), (2, 0)], &json!(1)), "{back}");
    let again = export_session(&stage, &ada, &first).await;
    assert_eq!(strings(&json!(again), "id"), strings(&json!(lines[..5]), "id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_exports_a_session_that_is_out_of_reach() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let (boss, eve) = (ada.colleague(Role::Owner), Actor::new(Role::Owner));
    let [first, _] = two_sessions(&stage, &ada).await;
    for other in [&boss, &eve] {
        assert_eq!(stage.app.get(&format!("{first}/export"), other).await.problem(404), "session_not_found");
    }
    // What a colleague took from a session that is shared is no part of what others export.
    let shared = stage.session(&boss, &json!({"user": null})).await;
    let turns = stage.say(&shared, &boss, &["The lamp is red."]).await;
    stage.remember(&ada, "Ada's own", &json!({"source_message_ids": turns})).await;
    stage.remember(&boss, "The boss's own", &json!({"source_message_ids": turns})).await;
    assert_eq!(strings(&json!(export_session(&stage, &boss, &shared).await[2..]), "text"), ["The boss's own"]);
    assert_eq!(strings(&json!(export_session(&stage, &ada, &shared).await[2..]), "text"), ["Ada's own"]);
}
