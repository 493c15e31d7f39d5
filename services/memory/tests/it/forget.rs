//! Forgetting by scope and filter.

use contracts::{Role, memory::v1::MemoryForgotten};
use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{Stage, merged, strings};

const PATH: &str = "/v1/memory/forget";

/// Forgets after having counted; both give the same.
async fn forget(stage: &Stage, who: &Actor, what: &Value) -> [u64; 3] {
    let counts = |view: &Value| ["messages", "memories", "sessions"].map(|field| view[field].as_u64().unwrap());
    let dry: Value = stage.app.post(PATH, who, &merged(what, &json!({"dry_run": true}))).await.json(200);
    let again: Value = stage.app.post(PATH, who, &merged(what, &json!({"dry_run": true}))).await.json(200);
    assert_eq!(dry, again, "counting touches nothing");
    let real: Value = stage.app.post(PATH, who, what).await.json(200);
    assert_eq!(counts(&dry), counts(&real), "{what}");
    assert_eq!((&dry["dry_run"], &real["dry_run"], &real["complete"]), (&json!(true), &json!(false), &json!(true)));
    let after: Value = stage.app.post(PATH, who, what).await.json(200);
    assert_eq!(counts(&after), [0, 0, 0], "{what}");
    counts(&real)
}

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = sql_types::BigInt)]
    rows: i64,
}

/// Tables of the schema in which a text stands.
async fn tables_with(stage: &Stage, text: &'static str) -> Vec<String> {
    stage
        .app
        .db
        .admin(move |conn| {
            let tables: Vec<Table> = sql_query(
                "SELECT table_name::text AS name FROM information_schema.tables \
                 WHERE table_schema = 'memory' AND table_type = 'BASE TABLE' ORDER BY 1",
            )
            .load(conn)
            .unwrap();
            assert!(tables.len() > 10, "{}", tables.len());
            let has = |table: &Table| {
                let sql = format!("SELECT count(*) AS rows FROM memory.{} t WHERE t::text LIKE '%{text}%'", table.name);
                sql_query(sql).get_result::<Left>(conn).unwrap().rows > 0
            };
            tables.into_iter().filter(has).map(|table| table.name).collect()
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_must_be_said_what() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Owner);
    stage.remember(&ada, "Stays", &json!({})).await;
    for unscoped in [
        json!({}),
        json!({"dry_run": true}),
        json!({"scope": {"organization": true}}),
        json!({"scope": {"organization": true}, "filter": {"kinds": ["memory"]}}),
        json!({"filter": {"tags": [], "metadata": {}}}),
    ] {
        assert_eq!(stage.app.post(PATH, &ada, &unscoped).await.problem(400), "forget_unscoped", "{unscoped}");
    }
    for (bad, field) in [
        (json!({"filter": {"kinds": ["chunk"]}}), "filter.kinds[0]"),
        (json!({"filter": {"metadata": {"a": []}}}), "filter.metadata"),
        (json!({"scope": {"collections": []}}), "scope.collections"),
        (json!({"everything": true}), "everything"),
    ] {
        assert_eq!(stage.app.post(PATH, &ada, &bad).await.bad_fields(422), [field], "{bad}");
    }
    assert_eq!(stage.found(&ada, "Stays").await, ["Stays"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_with_what_was_taken_from_it_and_nothing_is_left() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({"title": "About quokkas"})).await;
    let id = session.rsplit('/').next().unwrap();
    let turns = stage.say(&session, &ada, &["Do you like quokkas?", "Yes, quokkas are fine."]).await;
    let one = stage.remember(&ada, "Likes quokkas", &json!({"source_message_ids": turns})).await;
    let older = stage.remember(&ada, "Fears spiders", &json!({})).await;
    let more = json!({"supersedes": [older], "session_id": id});
    stage.remember(&ada, "Fears quokkas", &more).await;
    stage
        .app
        .patch(&format!("/v1/memory/memories/{one}"), &ada, &json!({"text": "Loves quokkas"}))
        .await
        .json::<Value>(200);
    stage.embedded(&ada, &["Loves quokkas", "Do you like quokkas?"]).await;
    assert!(!tables_with(&stage, "quokkas").await.is_empty());
    assert_eq!(forget(&stage, &ada, &json!({"scope": {"session_id": id}})).await, [2, 2, 1]);
    assert_eq!(tables_with(&stage, "quokkas").await, [""; 0]);
    assert_eq!(stage.app.get(&session, &ada).await.problem(404), "session_not_found");
    assert_eq!(stage.found(&ada, "quokkas").await, [""; 0]);
    let (_, event) = events.wait::<MemoryForgotten>(|event| event.memory_id == one).await;
    assert_eq!((event.kind.as_str(), event.entries), ("memory", 1));
    events.wait::<MemoryForgotten>(|event| event.kind == "session" && event.memory_id == id).await;
    let left = "SELECT (SELECT count(*) FROM memory.vectors v JOIN memory.entries e ON e.id = v.entry_id WHERE e.gone_at IS NOT NULL) \
        + (SELECT count(*) FROM memory.embedding_jobs j JOIN memory.entries e ON e.id = j.entry_id WHERE e.gone_at IS NOT NULL) AS rows";
    assert_eq!(stage.app.db.admin(move |conn| sql_query(left).get_result::<Left>(conn).unwrap().rows).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn some_turns_go_with_what_was_taken_from_them_alone() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let body = json!({"messages": [
        {"role": "user", "author": "Bob", "content": "Good morning.", "occurred_at": "2023-01-01T00:00:00Z"},
        {"role": "user", "author": "Bob", "content": "Which instrument is secret?", "occurred_at": "2023-06-01T00:00:00Z"},
        {"role": "user", "author": "Ann", "content": "The cello.", "occurred_at": "2024-01-01T00:00:00Z"},
    ]});
    let stored: Value = stage.app.post(&format!("{session}/messages"), &ada, &body).await.json(201);
    let turns = strings(&stored["items"], "id");
    let from_two = stage.remember(&ada, "Plays in the morning", &json!({"source_message_ids": turns[..2]})).await;
    let from_all = stage.remember(&ada, "Plays the cello", &json!({"source_message_ids": turns})).await;
    assert!(tables_with(&stage, "is secret").await.contains(&"entries".to_owned()));
    let what = json!({"scope": {"organization": true}, "filter": {"kinds": ["message"], "occurred_to": "2024-01-01T00:00:00Z"}});
    assert_eq!(forget(&stage, &ada, &what).await, [2, 1, 0]);
    assert_eq!(tables_with(&stage, "is secret").await, [""; 0], "neither where it was answered");
    assert_eq!(stage.app.get(&format!("/v1/memory/memories/{from_two}"), &ada).await.status, 404);
    let kept: Value = stage.app.get(&format!("/v1/memory/memories/{from_all}"), &ada).await.json(200);
    assert_eq!(kept["source_message_ids"], json!([turns[2]]), "the turns that are left");
    let list: Value = stage.app.get(&format!("{session}/messages"), &ada).await.json(200);
    assert_eq!(strings(&list["items"], "content"), ["The cello."]);
    // It is found by its own words still, and places go on where they were.
    assert!(stage.found(&ada, "cello").await.contains(&"The cello.".to_owned()));
    stage.say(&session, &ada, &["And now?"]).await;
    let list: Value = stage.app.get(&format!("{session}/messages"), &ada).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().iter().map(|item| &item["position"]).collect::<Vec<_>>(), [2, 3]);
    // The last turn that it was taken from takes the memory with it.
    let what =
        json!({"filter": {"occurred_from": "2024-01-01T00:00:00Z", "kinds": ["message"]}, "scope": {"user": "me"}});
    assert_eq!(forget(&stage, &ada, &what).await, [2, 1, 0]);
    let left: Value = stage.app.get(&session, &ada).await.json(200);
    assert_eq!((&left["last_message_at"], &left["summary"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn summaries_go_with_the_turns_they_are_about() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    stage.say(&session, &ada, &["one about quokkas", "two"]).await;
    let set = "UPDATE memory.sessions SET summary = 'All about quokkas', summarized_to = 1";
    stage.app.db.admin(move |conn| sql_query(set).execute(conn).unwrap()).await;
    let fork = stage.app.post(&format!("{session}/fork"), &ada, &json!({})).await;
    let fork = fork.header("location").unwrap().to_owned();
    let copy: Value = stage.app.get(&fork, &ada).await.json(200);
    assert_eq!(copy["summary"], "All about quokkas");
    let what = json!({"scope": {"session_id": session.rsplit('/').next().unwrap()}, "filter": {"kinds": ["message"]}});
    assert_eq!(forget(&stage, &ada, &what).await, [2, 0, 0]);
    for path in [&session, &fork] {
        assert_eq!(stage.app.get(path, &ada).await.json::<Value>(200)["summary"], Value::Null, "{path}");
    }
    assert_eq!(tables_with(&stage, "quokkas").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_together() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Admin);
    let project = "01890a5d-ac99-7000-8000-0000000000aa";
    let remember = async || {
        for (text, more) in [
            ("of nobody", json!({"user": null})),
            ("of a customer", json!({"user": "customer-7", "tags": ["home", "light"]})),
            ("of a project", json!({"user": null, "project_id": project, "metadata": {"watts": 40, "smart": true}})),
            ("of an agent", json!({"agent": "support", "tags": ["light"], "valid_from": "2020-01-01T00:00:00Z"})),
        ] {
            stage.remember(&ada, text, &more).await;
        }
    };
    for (what, count) in [
        (json!({"scope": {"user": "customer-7"}}), 1),
        (json!({"scope": {"user": "customer-7", "agent": "support"}}), 0),
        (json!({"scope": {"agent": "support"}}), 1),
        (json!({"scope": {"project_id": project}}), 1),
        (json!({"filter": {"tags": ["light"]}}), 2),
        (json!({"filter": {"tags": ["light", "home"]}}), 1),
        (json!({"filter": {"metadata": {"watts": 40}}}), 1),
        (json!({"filter": {"metadata": {"watts": 60}}}), 0),
        (json!({"filter": {"occurred_to": "2021-01-01T00:00:00Z"}}), 1),
        (json!({"filter": {"tags": ["light"], "kinds": ["message"]}}), 0),
    ] {
        remember().await;
        assert_eq!(forget(&stage, &ada, &what).await, [0, count, 0], "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_forgets_what_is_somebody_elses() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let bob = ada.colleague(Role::Member);
    let boss = ada.colleague(Role::Owner);
    let stranger = Actor::new(Role::Owner);
    let session = stage.session(&ada, &json!({"agent": "x"})).await;
    stage.say(&session, &ada, &["Only for Ada"]).await;
    stage.remember(&ada, "A secret", &json!({"agent": "x", "tags": ["x"]})).await;
    let shared = stage.session(&ada, &json!({"agent": "x", "user": null})).await;
    let turns = stage.say(&shared, &ada, &["For all"]).await;
    let mine = stage.remember(&ada, "Learnt from all", &json!({"source_message_ids": turns})).await;
    for who in [&bob, &boss] {
        let named = json!({"scope": {"user": ada.user}});
        assert_eq!(stage.app.post(PATH, who, &named).await.problem(403), "not_yours");
    }
    let id = session.rsplit('/').next().unwrap();
    for who in [&bob, &boss, &stranger] {
        for what in [json!({"scope": {"session_id": id}}), json!({"filter": {"tags": ["x"]}})] {
            assert_eq!(forget(&stage, who, &what).await, [0, 0, 0], "{what}");
        }
    }
    assert_eq!(forget(&stage, &stranger, &json!({"scope": {"agent": "x"}})).await, [0, 0, 0]);
    // What is shared is everybody's; what a colleague took from it stays the colleague's.
    assert_eq!(forget(&stage, &bob, &json!({"scope": {"agent": "x"}})).await, [1, 0, 0]);
    let kept: Value = stage.app.get(&format!("/v1/memory/memories/{mine}"), &ada).await.json(200);
    assert_eq!(kept["source_message_ids"], json!(turns));
    let left: Value = stage.app.get(&format!("{session}/messages"), &ada).await.json(200);
    assert_eq!(strings(&left["items"], "content"), ["Only for Ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_transaction_forgets_the_same_as_one() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let mut turns = Vec::new();
    for n in 0..6 {
        let texts: Vec<_> = (0..100).map(|m| format!("turn {n} {m}")).collect();
        turns.extend(stage.say(&session, &ada, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await);
    }
    // From the first and the last, which go in different transactions.
    stage.remember(&ada, "From both ends", &json!({"source_message_ids": [turns[0], turns[599]]})).await;
    for n in 0..3 {
        let memories: Vec<_> = (0..100).map(|m| json!({"text": format!("fact {n} {m}")})).collect();
        stage.app.post("/v1/memory/memories/bulk", &ada, &json!({"memories": memories})).await.json::<Value>(201);
    }
    assert_eq!(forget(&stage, &ada, &json!({"scope": {"user": "me"}})).await, [600, 301, 0]);
    let notes = "SELECT string_agg(details::text, '|') AS name FROM memory.audit_log WHERE action = 'memory.forgotten'";
    let notes = stage.app.db.admin(move |conn| sql_query(notes).get_result::<Table>(conn).unwrap().name).await;
    let of = |field: &str| -> u64 {
        notes.split('|').map(|note| serde_json::from_str::<Value>(note).unwrap()[field].as_u64().unwrap()).sum()
    };
    assert_eq!((of("messages"), of("memories")), (600, 301));
    assert!(!notes.contains("fact") && !notes.contains("turn "), "{notes}");
}
