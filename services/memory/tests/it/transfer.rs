//! Exports and imports.

mod sessions;

use contracts::Role;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Answer};

use crate::support::{Stage, strings};

async fn export(stage: &Stage, who: &Actor, query: &str) -> Vec<Value> {
    let answer = stage.app.get(&format!("/v1/memory/export{query}"), who).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn file(lines: &[Value]) -> String {
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

async fn send(stage: &Stage, who: &Actor, query: &str, body: String) -> Answer {
    let request = stage.app.request(Method::POST, &format!("/v1/memory/import{query}"));
    let request = request.bearer_auth(stage.app.auth.token(who)).header("content-type", "application/x-ndjson");
    Answer::to(request.body(body)).await
}

async fn import(stage: &Stage, who: &Actor, query: &str, lines: &[Value]) -> Value {
    send(stage, who, query, file(lines)).await.json(200)
}

fn tallies(report: &Value) -> Vec<(u64, u64)> {
    let tally = |kind: &str| (report[kind]["imported"].as_u64().unwrap(), report[kind]["skipped"].as_u64().unwrap());
    ["sessions", "messages", "memories"].map(tally).into()
}

fn codes(report: &Value) -> Vec<(u64, String)> {
    let errors = report["errors"].as_array().unwrap().iter();
    errors.map(|error| (error["line"].as_u64().unwrap(), error["code"].as_str().unwrap().to_owned())).collect()
}

/// A session with a fork, turns of all sorts, and memories that refer to them and to each other.
async fn furnish(stage: &Stage, who: &Actor) {
    let more = json!({"title": "Trip", "external_id": "t-1", "agent": "support", "metadata": {"a": [1, 2.5]}});
    let session = stage.session(who, &more).await;
    let calls = json!([{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]);
    let body = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "author": "Ada", "content": "Is it sunny in Lisbon?", "occurred_at": "2023-05-08T13:56:00.123456Z"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "assistant", "content": "It is.", "metadata": {"mood": "good"}},
    ]});
    let stored: Value = stage.app.post(&format!("{session}/messages"), who, &body).await.json(201);
    let turns = strings(&stored["items"], "id");
    let fork = stage.app.post(&format!("{session}/fork"), who, &json!({"at": 2})).await;
    stage.say(fork.header("location").unwrap(), who, &["And in Porto?"]).await;
    let id = session.rsplit('/').next().unwrap();
    let more = json!({"source_message_ids": [turns[1]], "session_id": id, "confidence": 0.3, "tags": ["home"],
        "metadata": {"sure": true}, "expires_at": "2999-01-01T00:00:00Z"});
    let old = stage.remember(who, "Lives in Lisbon", &more).await;
    stage.remember(who, "Lives in Porto", &json!({"supersedes": [old], "pinned": true})).await;
}

/// Without ids and where memories came from; references become places in the file.
fn anonymous(lines: &[Value]) -> Vec<Value> {
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    let plain = |line: &Value| {
        let mut text = line.to_string();
        for (place, id) in ids.iter().enumerate() {
            text = text.replace(id, &format!("id-{place}"));
        }
        let mut line: Value = serde_json::from_str(&text).unwrap();
        if line["type"] == "memory" {
            line["source"] = json!("imported");
        }
        if line["user"].is_string() {
            line["user"] = json!("me");
        }
        line
    };
    lines.iter().map(plain).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_comes_back_as_it_was() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    furnish(&stage, &ada).await;
    let before = export(&stage, &ada, "").await;
    assert_eq!(
        strings(&json!(before), "type").join(" "),
        "session session message message message message message message memory memory"
    );
    let again = import(&stage, &ada, "", &before).await;
    assert_eq!((tallies(&again), &again["refused"]), (vec![(0, 2), (0, 6), (0, 2)], &json!(0)), "{again}");
    assert_eq!(export(&stage, &ada, "").await, before, "nothing was done");

    stage.app.post("/v1/memory/forget", &ada, &json!({"scope": {"user": "me"}})).await.json::<Value>(200);
    for line in before.iter().filter(|line| line["type"] == "session") {
        stage.delete(&format!("/v1/memory/sessions/{}", line["id"].as_str().unwrap()), &ada).await;
    }
    assert_eq!(export(&stage, &ada, "").await, [Value::Null; 0]);
    let restored = import(&stage, &ada, "", &before).await;
    assert_eq!((tallies(&restored), &restored["refused"]), (vec![(2, 0), (6, 0), (2, 0)], &json!(0)), "{restored}");
    let after = export(&stage, &ada, "").await;
    assert_eq!(strings(&json!(after), "id"), strings(&json!(before), "id"), "ids are kept where they are free");
    assert_eq!(anonymous(&after), anonymous(&before));
    // And it is found as before, also by its vectors.
    stage.embedded(&ada, &["Lives in Porto", "It is."]).await;
    let found = stage.search_with(&ada, "Is it sunny in Lisbon?", &json!({"filter": {"kinds": ["message"]}})).await;
    assert!(strings(&found["hits"], "text").contains(&"It is.".to_owned()), "{found}");
    let session = format!("/v1/memory/sessions/{}", before[0]["id"].as_str().unwrap());
    stage.say(&session, &ada, &["What else?"]).await;
    let list: Value = stage.app.get(&format!("{session}/messages?order=desc&limit=1"), &ada).await.json(200);
    assert_eq!(list["items"][0]["position"], 5, "it goes on where it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_gets_other_ids_and_touches_nothing() {
    let stage = Stage::start().await;
    let (ada, eve) = (Actor::new(Role::Member), Actor::new(Role::Member));
    furnish(&stage, &ada).await;
    let before = export(&stage, &ada, "").await;
    let refused = import(&stage, &eve, "", &before).await;
    assert_eq!(tallies(&refused)[0], (0, 0), "a member's are not a stranger's: {refused}");
    let report = import(&stage, &eve, "?user=me", &before).await;
    assert_eq!((tallies(&report), &report["refused"]), (vec![(2, 0), (6, 0), (2, 0)], &json!(0)), "{report}");
    let copy = export(&stage, &eve, "").await;
    let (old, new) = (strings(&json!(before), "id"), strings(&json!(copy), "id"));
    assert!(new.iter().all(|id| !old.contains(id)), "{new:?}");
    let sorted = |lines: &[Value]| {
        let mut lines: Vec<_> = lines
            .iter()
            .map(|line| {
                let mut line = line.clone();
                for field in [
                    "id",
                    "session_id",
                    "source_message_ids",
                    "superseded_by",
                    "forked_from",
                    "source",
                    "user",
                    "created_at",
                ] {
                    line.as_object_mut().unwrap().remove(field);
                }
                line.to_string()
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&copy), sorted(&before));
    // References were renamed alike.
    let memory = copy.iter().find(|line| line["text"] == "Lives in Lisbon").unwrap();
    let asked = copy.iter().find(|line| line["content"] == "Is it sunny in Lisbon?").unwrap();
    let porto = copy.iter().find(|line| line["text"] == "Lives in Porto").unwrap();
    assert_eq!(memory["source_message_ids"], json!([asked["id"]]));
    assert_eq!((&memory["session_id"], &memory["superseded_by"]), (&asked["session_id"], &porto["id"]));
    let again = import(&stage, &eve, "?user=me", &before).await;
    assert_eq!((tallies(&again), &again["refused"]), (vec![(0, 2), (0, 6), (0, 2)], &json!(0)), "{again}");
    assert_eq!(export(&stage, &ada, "").await, before, "foreign rows are as they were");
    assert_eq!(export(&stage, &eve, "").await, copy);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_there_is_changed() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    furnish(&stage, &ada).await;
    let before = export(&stage, &ada, "").await;
    let id = |line: usize| before[line]["id"].clone();
    let with = |line: usize, field: &str, value: Value| {
        let mut line = before[line].clone();
        line[field] = value;
        line
    };
    let fresh = |n: u8| json!(format!("01890a5d-ac99-7000-8000-0000000000{n:02x}"));
    let lines = [
        with(0, "title", json!("Other")),
        with(2, "content", json!("Be verbose.")),
        with(8, "text", json!("Lives on the moon")),
        // Another turn in the place of one, another session of the same name, and a memory with a turn's id.
        with(2, "id", fresh(1)),
        with(0, "id", fresh(2)),
        with(8, "id", id(3)),
        with(3, "id", id(8)),
        // A turn of no session.
        with(2, "session_id", fresh(3)),
        // Twice in one file, and once more otherwise.
        json!({"type": "memory", "id": fresh(4), "text": "New", "valid_from": "2024-01-01T00:00:00Z", "created_at": "2024-01-01T00:00:00Z"}),
        json!({"type": "memory", "id": fresh(4), "text": "New", "valid_from": "2024-01-01T00:00:00Z", "created_at": "2024-01-01T00:00:00Z"}),
        json!({"type": "memory", "id": fresh(4), "text": "Newer"}),
    ];
    let report = import(&stage, &ada, "", &lines).await;
    let expected = [
        (1, "different"),
        (2, "different"),
        (3, "different"),
        (4, "position_taken"),
        (5, "session_exists"),
        (6, "different"),
        (7, "different"),
        (8, "session_not_found"),
        (11, "different"),
    ];
    assert_eq!(codes(&report), expected.map(|(line, code)| (line, code.to_owned())));
    assert_eq!((tallies(&report), &report["refused"]), (vec![(0, 0), (0, 0), (1, 1)], &json!(9)));
    let after = export(&stage, &ada, "").await;
    let known: Vec<_> = after.iter().filter(|line| line["id"] != fresh(4)).cloned().collect();
    assert_eq!(known, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_import_reads_or_writes_what_is_a_colleagues() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let bob = ada.colleague(Role::Admin);
    furnish(&stage, &ada).await;
    let before = export(&stage, &ada, "").await;
    assert_eq!(export(&stage, &bob, "").await, [Value::Null; 0]);
    let hers = format!("/v1/memory/export?user={}", ada.user);
    assert_eq!(stage.app.get(&hers, &bob).await.problem(403), "not_yours");
    let session = before[0]["id"].clone();
    let lines = [
        before[0].clone(),
        before[8].clone(),
        json!({"type": "message", "id": "01890a5d-ac99-7000-8000-000000000001", "session_id": session, "position": 70,
            "role": "user", "content": "Planted"}),
        // A fork would read her turns.
        json!({"type": "session", "id": "01890a5d-ac99-7000-8000-000000000002", "forked_from": session, "forked_at": 5}),
    ];
    let report = import(&stage, &bob, "", &lines).await;
    let expected = [(1, "not_yours"), (2, "not_yours"), (3, "session_not_found")];
    assert_eq!(codes(&report), expected.map(|(line, code)| (line, code.to_owned())));
    let report = import(&stage, &bob, "?user=me", &lines[..2]).await;
    assert_eq!(codes(&report), [(1, "different".to_owned()), (2, "different".to_owned())]);
    let fork = "/v1/memory/sessions/01890a5d-ac99-7000-8000-000000000002/messages";
    assert_eq!(stage.app.get(fork, &bob).await.json::<Value>(200)["items"], json!([]));
    assert_eq!(export(&stage, &ada, "").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_can_be_a_part_and_takes_many_pages() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Admin);
    furnish(&stage, &ada).await;
    let all = export(&stage, &ada, "").await;
    let session = all[0]["id"].as_str().unwrap();
    let kinds = async |query: &str| strings(&json!(export(&stage, &ada, query).await), "type").join(" ");
    assert_eq!(
        kinds(&format!("?session_id={session}")).await,
        "session message message message message message memory"
    );
    assert_eq!(kinds("?user=customer-7").await, "");
    assert_eq!(kinds("?agent=support").await, "session session message message message message message message");
    assert_eq!(stage.app.get("/v1/memory/export?tag=x", &ada).await.problem(400), "invalid_parameter");

    let long = stage.session(&ada, &json!({"user": "customer-7"})).await;
    for n in 0..6 {
        let texts: Vec<_> = (0..100).map(|m| format!("turn {}", n * 100 + m)).collect();
        stage.say(&long, &ada, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let lines = export(&stage, &ada, "?user=customer-7").await;
    assert_eq!(strings(&json!(lines[1..]), "content"), (0..600).map(|n| format!("turn {n}")).collect::<Vec<_>>());
    let eve = Actor::new(Role::Admin);
    let report = import(&stage, &eve, "", &lines).await;
    assert_eq!((tallies(&report), &report["refused"]), (vec![(1, 0), (600, 0), (0, 0)], &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_named_and_bounded() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let id = "01890a5d-ac99-7000-8000-000000000001";
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let lines = [
        "{".to_owned(),
        String::new(),
        json!({"type": "dream"}).to_string(),
        json!({"type": "memory", "id": id, "text": " "}).to_string(),
        json!({"type": "memory", "id": id, "text": "x", "org_id": id}).to_string(),
        json!({"type": "memory", "id": id, "text": "a\u{0}b"}).to_string(),
        json!({"type": "memory", "id": id, "text": "x", "valid_from": "2024-01-01T00:00:00Z", "valid_to": "2023-01-01T00:00:00Z"}).to_string(),
        format!(r#"{{"type":"memory","id":"{id}","text":"x","metadata":{{"a":{deep}}}}}"#),
        json!({"type": "message", "id": id, "session_id": id, "position": -1, "role": "user", "content": "x"}).to_string(),
        json!({"type": "memory", "id": id, "text": "x".repeat(2 << 20)}).to_string(),
        json!({"type": "memory", "id": id, "text": "x", "user": ada.colleague(Role::Member).user}).to_string(),
        json!({"type": "memory", "id": id, "text": "The only good one"}).to_string(),
    ];
    let report: Value = send(&stage, &ada, "", lines.join("\n")).await.json(200);
    let invalid = [3, 4, 5, 6, 7, 8, 9].map(|line| (line, "validation_failed".to_owned()));
    let mut expected = vec![(1, "malformed_json".to_owned())];
    expected.extend(invalid);
    expected.extend([(10, "too_long".to_owned()), (11, "not_yours".to_owned())]);
    assert_eq!(codes(&report), expected);
    assert_eq!(tallies(&report), [(0, 0), (0, 0), (1, 0)]);
    let made: Value = stage.app.get(&format!("/v1/memory/memories/{id}"), &ada).await.json(200);
    assert_eq!((&made["source"], &made["user"]), (&json!("imported"), &json!(ada.user)));

    let many: Value = send(&stage, &ada, "", "x\n".repeat(10_000)).await.json(200);
    assert_eq!((&many["refused"], many["errors"].as_array().unwrap().len()), (&json!(10_000), 100));
    assert_eq!(send(&stage, &ada, "", "x\n".repeat(10_001)).await.problem(413), "payload_too_large");
    assert_eq!(send(&stage, &ada, "", "x".repeat((32 << 20) + 1)).await.problem(413), "payload_too_large");
    let json = stage.app.post("/v1/memory/import", &ada, &json!({})).await;
    assert_eq!(json.problem(415), "unsupported_media_type");
}
