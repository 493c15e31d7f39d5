//! Facts are taken from what was given for it alone.

use contracts::Role;
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{Gate, Reply},
};

use super::{Listening, fact, facts};
use crate::support::merged;

/// Asks for facts to be taken from something; gives the path of the operation.
async fn infer(it: &Listening, who: &Actor, body: &Value) -> String {
    let accepted = it.stage.app.post("/v1/memory/memories", who, &merged(&json!({"infer": true}), body)).await;
    let view: Value = accepted.json(202);
    let path = accepted.header("location").unwrap().to_owned();
    assert_eq!((view["status"].as_str(), path.rsplit('/').next()), (Some("waiting"), view["operation_id"].as_str()));
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_taken_from_what_was_given_and_it_is_not_kept() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.next(facts(&[fact("Caroline drinks green tea.", &[1], None), fact("Caroline got a quokka.", &[2], None)]));
    let turn = "01890a5d-ac99-7000-8000-0000000000ff";
    let given = json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "I drink green tea.", "author": "Caroline"},
            {"role": "user", "content": "I got a quokka.", "author": "Caroline", "occurred_at": "2024-06-01T00:00:00Z"},
        ],
        "agent": "support", "tags": ["home"], "metadata": {"batch": 7}, "source_message_ids": [turn],
    });
    let path = infer(&it, &ada, &given).await;
    it.settled().await;
    let over: Value = it.stage.app.get(&path, &ada).await.json(200);
    let memories = it.memories(&ada).await;
    assert_eq!((&over["status"], &over["user"]), (&json!("done"), &json!(ada.user)));
    assert_eq!(over["memory_ids"], json!([memories[1]["id"], memories[0]["id"]]));
    let quokka = &memories[0];
    assert_eq!((&quokka["text"], &quokka["source"]), (&json!("Caroline got a quokka."), &json!("extracted")));
    assert_eq!((&quokka["agent"], &quokka["tags"]), (&json!("support"), &json!(["home"])));
    assert_eq!((&quokka["valid_from"], &quokka["metadata"]), (&json!("2024-06-01T00:00:00Z"), &json!({"batch": 7})));
    assert_eq!(quokka["source_message_ids"], json!([turn]));
    let kept = "SELECT count(*) AS number FROM memory.extractions e WHERE e::text LIKE '%quokka%'";
    assert_eq!(it.number(kept).await, 0);
    let stranger = Actor::new(Role::Owner);
    for other in [&stranger, &ada.colleague(Role::Owner)] {
        assert_eq!(it.stage.app.get(&path, other).await.problem(404), "extraction_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_does_not_do_has_failed() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.always(Reply::text("No."));
    let path = infer(&it, &ada, &json!({"text": "I drink green tea."})).await;
    it.settled().await;
    let over: Value = it.stage.app.get(&path, &ada).await.json(200);
    assert_eq!((&over["status"], &over["memory_ids"]), (&json!("failed"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_was_given_is_dealt_with_in_pieces() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let said = |n: usize| json!({"role": "user", "content": format!("{n} {}", "words ".repeat(900))});
    let path = infer(&it, &ada, &json!({"messages": (0..3).map(said).collect::<Vec<_>>()})).await;
    it.settled().await;
    assert_eq!(it.stage.app.get(&path, &ada).await.json::<Value>(200)["status"], "done");
    let sizes: Vec<_> = it.tasks().iter().map(|task| task["new_turns"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_forgotten_with_the_rest() {
    let it = Listening::start().await;
    let admin = Actor::new(Role::Admin);
    let gate = Gate::new();
    it.model.always(facts(&[fact("The user drinks green tea.", &[1], None)]).held(&gate));
    for more in [json!({"agent": "a", "tags": ["x"]}), json!({"agent": "b"})] {
        infer(&it, &admin, &merged(&json!({"user": "customer-7", "text": "I drink green tea."}), &more)).await;
    }
    it.model.wait_for_request().await;
    for (what, left) in [
        (json!({"scope": {"user": "customer-8"}}), 2),
        (json!({"scope": {"user": "customer-7"}, "filter": {"tags": ["y"]}}), 2),
        (json!({"scope": {"user": "customer-7"}, "filter": {"tags": ["x"]}}), 1),
        (json!({"scope": {"user": "customer-7"}}), 0),
    ] {
        it.stage.app.post("/v1/memory/forget", &admin, &what).await.json::<Value>(200);
        assert_eq!(it.waiting().await, left, "{what}");
    }
    gate.open();
    it.model.wait_until_idle().await;
    let path = infer(&it, &admin, &json!({"text": "I drink green tea."})).await;
    it.settled().await;
    assert_eq!(it.stage.app.get(&path, &admin).await.json::<Value>(200)["status"], "done");
    let users: Vec<_> = it.memories(&admin).await.iter().map(|memory| memory["user"].clone()).collect();
    assert_eq!(users, [json!(admin.user)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let said = json!([{"role": "user", "content": "I drink green tea."}]);
    for (body, field) in [
        (json!({"messages": said}), "messages"),
        (json!({"infer": false}), "text"),
        (json!({"infer": true}), "messages"),
        (json!({"infer": true, "text": "a", "messages": said}), "messages"),
        (json!({"infer": true, "messages": [{"role": "system", "content": "Be brief."}]}), "messages"),
        (json!({"infer": true, "messages": vec![said[0].clone(); 51]}), "messages"),
        (json!({"infer": true, "messages": [{"role": "user", "content": "x".repeat(70_000)}]}), "messages"),
        (json!({"infer": true, "text": "a", "supersedes": ["01890a5d-ac99-7000-8000-0000000000ff"]}), "supersedes"),
        (json!({"infer": true, "text": "a", "confidence": 0.5}), "confidence"),
        (json!({"infer": true, "text": "a", "valid_to": "2024-06-01T00:00:00Z"}), "valid_to"),
    ] {
        let refused = it.stage.app.post("/v1/memory/memories", &ada, &body).await;
        assert_eq!(refused.bad_fields(422), [field], "{body}");
    }
    let planted = json!({"infer": true, "text": "I owe the boss money.", "user": ada.user});
    let boss = ada.colleague(Role::Owner);
    assert_eq!(it.stage.app.post("/v1/memory/memories", &boss, &planted).await.problem(403), "not_yours");
    assert_eq!((it.waiting().await, it.model.requests().len()), (0, 0));
}
