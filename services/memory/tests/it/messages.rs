//! Turns over HTTP.

use std::collections::BTreeSet;

use contracts::{Role, memory::v1::MessageStored};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{Stage, strings};

#[tokio::test(flavor = "multi_thread")]
async fn turns_keep_their_order_and_everything_about_them() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let calls = json!([{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]);
    let body = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "author": "Ada", "content": "Is it sunny?", "occurred_at": "2023-05-08T13:56:00Z"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "assistant", "content": "It is.", "metadata": {"mood": "good"}},
    ]});
    let stored: Value = stage.app.post(&format!("{session}/messages"), &ada, &body).await.json(201);
    let list: Value = stage.app.get(&format!("{session}/messages"), &ada).await.json(200);
    assert_eq!(list["items"], stored["items"]);
    let items = stored["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|item| item["position"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(items[1]["occurred_at"], "2023-05-08T13:56:00Z");
    assert_eq!((&items[2]["tool_calls"], &items[3]["tool_call_id"]), (&calls, &json!("call_1")));
    let session: Value = stage.app.get(&session, &ada).await.json(200);
    assert_eq!((&session["message_count"], &session["version"]), (&json!(5), &json!(6)));
    let (_, stored) = events.wait::<MessageStored>(|event| event.position == 4).await;
    assert_eq!(stored.role, "assistant");
    // Instructions and tools are no talk.
    let found: BTreeSet<_> = stage.found(&ada, "Is it sunny? Be brief.").await.into_iter().collect();
    assert_eq!(found, ["Is it sunny?", "It is."].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_that_come_at_once_get_places_without_holes() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    join_all((0..24).map(|n| {
        let (stage, session, ada) = (&stage, &session, &ada);
        async move { stage.say(session, ada, &[&format!("turn {n}"), "and another"]).await }
    }))
    .await;
    let (mut positions, mut path) = (Vec::new(), format!("{session}/messages?limit=20"));
    loop {
        let page: Value = stage.app.get(&path, &ada).await.json(200);
        positions.extend(page["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{session}/messages?limit=20&cursor={cursor}");
    }
    assert_eq!(positions, (0..48).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_turns_are_named_and_none_is_stored() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let path = format!("{session}/messages");
    let good = json!({"role": "user", "content": "fine"});
    for (bad, field) in [
        (json!({"messages": []}), "messages"),
        (json!({"messages": vec![good.clone(); 101]}), "messages"),
        (json!({"messages": [good, {"role": "user", "content": "  "}]}), "messages[1]"),
        (json!({"messages": [{"role": "user", "content": "x".repeat(200_000)}]}), "messages[0].content"),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "assistant", "tool_calls": "x"}]}), "messages[0].tool_calls"),
        (json!({"messages": [{"role": "user", "content": "x", "author": ""}]}), "messages[0].author"),
    ] {
        assert_eq!(stage.app.post(&path, &ada, &bad).await.bad_fields(422), [field], "{field}");
    }
    let ten_megabytes = json!({"messages": [{"role": "user", "content": "x".repeat(10 << 20)}]});
    assert_eq!(stage.app.post(&path, &ada, &ten_megabytes).await.problem(413), "payload_too_large");
    let list: Value = stage.app.get(&path, &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
    let nowhere = "/v1/memory/sessions/01890a5d-ac99-7000-8000-0000000000ff/messages";
    let turn = json!({"messages": [{"role": "user", "content": "x"}]});
    assert_eq!(stage.app.post(nowhere, &ada, &turn).await.problem(404), "session_not_found");
    assert_eq!(strings(&list["items"], "id"), [""; 0]);
}
