//! mem0's protocol, as its clients speak it.

mod filters;

use contracts::Role;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{
    Actor, Answer,
    providers::{FakeProvider, Reply},
};

use crate::support::{Stage, eventually, merged, strings};

pub const BASE: &str = "/v1/memory/compat/mem0";

/// An application's server, which may act for its users.
fn app() -> Actor {
    Actor::new(Role::Admin)
}

async fn call(stage: &Stage, who: &Actor, method: Method, path: &str, body: Option<&Value>) -> Answer {
    stage.app.send(method, &format!("{BASE}{path}"), Some(&stage.app.auth.token(who)), body).await
}

async fn post(stage: &Stage, who: &Actor, path: &str, body: &Value) -> Answer {
    call(stage, who, Method::POST, path, Some(body)).await
}

/// The error, after a look at its form: those clients read `detail`, and of plain JSON only.
#[track_caller]
pub fn error(answer: &Answer, status: u16) -> (String, String) {
    let body: Value = answer.json(status);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{body}");
    let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
    assert!(body["status"] == status && body["request_id"].is_string(), "{body}");
    (text("code"), text("detail"))
}

/// Remembers one text word for word; gives its id.
async fn add(stage: &Stage, who: &Actor, text: &str, more: &Value) -> String {
    let body = json!({"messages": [{"role": "user", "content": text}], "infer": false});
    let added: Value = post(stage, who, "/v3/memories/add/", &merged(&body, more)).await.json(200);
    assert_eq!((&added["status"], &added["results"][0]["memory"]), (&json!("SUCCEEDED"), &json!(text)), "{added}");
    added["results"][0]["id"].as_str().unwrap().to_owned()
}

async fn list(stage: &Stage, who: &Actor, filters: Value) -> Vec<String> {
    let page: Value = post(stage, who, "/v3/memories/", &json!({ "filters": filters })).await.json(200);
    assert_eq!(page["count"], page["results"].as_array().unwrap().len(), "{page}");
    strings(&page["results"], "memory")
}

async fn search(stage: &Stage, who: &Actor, query: &str, filters: Value) -> Vec<String> {
    let body = json!({"query": query, "filters": filters});
    let found: Value = post(stage, who, "/v3/memories/search/", &body).await.json(200);
    strings(&found["results"], "memory")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_from_its_first_to_its_last_day() {
    let (stage, app) = (Stage::start().await, app());
    let ping: Value = call(&stage, &app, Method::GET, "/v1/ping/", None).await.json(200);
    assert_eq!(ping, json!({"status": "ok", "org_id": app.org, "project_id": app.org}));
    let id = add(&stage, &app, "I like tea", &json!({"user_id": "alice", "metadata": {"a": 1}})).await;
    let path = format!("/v1/memories/{id}/");
    let memory: Value = call(&stage, &app, Method::GET, &path, None).await.json(200);
    let expected = json!({"id": id, "memory": "I like tea", "user_id": "alice", "agent_id": null, "app_id": null,
        "run_id": null, "metadata": {"a": 1}, "categories": [], "expiration_date": null});
    assert_eq!(merged(&memory, &expected), memory);
    assert!(memory["hash"].is_string() && memory["created_at"].is_string() && memory["updated_at"].is_string());
    let found: Value =
        post(&stage, &app, "/v3/memories/search/", &json!({"query": "tea", "filters": {"user_id": "alice"}}))
            .await
            .json(200);
    assert_eq!((&found["results"][0]["id"], found["results"][0]["score"].is_number()), (&json!(id), true));

    let change = json!({"text": "I like green tea", "metadata": {"b": 2}, "expiration_date": "2999-12-31", "odd": 1});
    let changed: Value = call(&stage, &app, Method::PUT, &path, Some(&change)).await.json(200);
    let expected = json!({"memory": "I like green tea", "metadata": {"b": 2}, "expiration_date": "2999-12-31", "user_id": "alice"});
    assert_eq!(merged(&changed, &expected), changed);
    let cleared: Value =
        call(&stage, &app, Method::PUT, &path, Some(&json!({"expiration_date": null}))).await.json(200);
    assert_eq!((&cleared["expiration_date"], &cleared["memory"]), (&Value::Null, &json!("I like green tea")));
    let history: Value = call(&stage, &app, Method::GET, &format!("{path}history/"), None).await.json(200);
    let turns: Vec<_> =
        history.as_array().unwrap().iter().map(|t| (&t["event"], &t["old_memory"], &t["new_memory"])).collect();
    let (tea, green) = (json!("I like tea"), json!("I like green tea"));
    let (added, updated) = (json!("ADD"), json!("UPDATE"));
    assert_eq!(turns, [(&added, &Value::Null, &tea), (&updated, &tea, &green), (&updated, &green, &green)]);
    assert_eq!((&history[0]["memory_id"], &history[0]["user_id"]), (&json!(id), &json!("alice")));

    // What they expect is JSON, also where there is nothing to say.
    for _ in 0..2 {
        let gone: Value = call(&stage, &app, Method::DELETE, &path, None).await.json(200);
        assert!(gone["message"].is_string(), "{gone}");
    }
    for path in [path.clone(), format!("{path}history/")] {
        let (code, _) = error(&call(&stage, &app, Method::GET, &path, None).await, 404);
        assert_eq!(code, "memory_not_found");
    }
    assert_eq!(search(&stage, &app, "tea", json!({"user_id": "alice"})).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_remembered_one_by_one_and_the_same_once() {
    let (stage, app) = (Stage::start().await, app());
    let body = json!({"user_id": "alice", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " I live in Lisbon. "},
        {"role": "assistant", "content": [{"type": "text", "text": "Nice."}, {"type": "text", "text": "By the sea?"}]},
        {"role": "user", "content": "i live in LISBON"},
    ], "async_mode": true, "output_format": "v1.1", "version": "v2", "something_new": {"x": 1}});
    // No language model takes facts from them, so they are remembered as they are. Clients of version 1 ask elsewhere.
    for (path, event) in [("/v3/memories/add/", "ADD"), ("/v1/memories/", "NOOP")] {
        let added: Value = post(&stage, &app, path, &body).await.json(200);
        assert_eq!(
            strings(&added["results"], "memory"),
            ["I live in Lisbon.", "Nice.\nBy the sea?", "I live in Lisbon."]
        );
        assert_eq!(strings(&added["results"], "event"), [event, event, "NOOP"], "{path}");
        assert_eq!(added["results"][0]["id"], added["results"][2]["id"]);
    }
    assert_eq!(list(&stage, &app, json!({"user_id": "alice"})).await.len(), 2);
    let native: Value = stage.app.get("/v1/memory/memories?user=alice", &app).await.json(200);
    assert_eq!(strings(&native["items"], "source"), ["stated", "stated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_stored() {
    let (stage, app) = (Stage::start().await, app());
    let say = |content: Value| json!([{"role": "user", "content": content}]);
    let image = json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
    for (more, field) in [
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "system", "content": "Be brief."}]}), "messages"),
        (json!({"messages": say(json!(" "))}), "messages[0].content"),
        (json!({"messages": say(json!("x".repeat(8001)))}), "messages[0].content"),
        (json!({"messages": vec![json!({"role": "user", "content": "x"}); 51]}), "messages"),
        (json!({"messages": vec![json!({"role": "user", "content": "x".repeat(8000)}); 9]}), "messages"),
        (json!({"messages": say(image)}), "messages[0].content"),
        (json!({"messages": say(json!(5))}), "messages[0].content"),
        (json!({"user_id": ""}), "user_id"),
        (json!({"run_id": "x".repeat(120)}), "run_id"),
        (json!({"filters": {"AND": []}}), "filters.AND"),
        (json!({"metadata": {"a": "x".repeat(9000)}}), "metadata"),
        (json!({"timestamp": "yesterday"}), "timestamp"),
        (json!({"expiration_date": "31.12.2030"}), "expiration_date"),
    ] {
        let body = merged(&json!({"messages": say(json!("fine")), "user_id": "alice", "infer": false}), &more);
        let (code, detail) = error(&post(&stage, &app, "/v3/memories/add/", &body).await, 422);
        assert_eq!(code, "validation_failed", "{more}");
        assert!(detail.contains(&format!(": {field} ")), "{detail} of {more}");
    }
    let nobodys = json!({"messages": say(json!("fine"))});
    assert_eq!(error(&post(&stage, &app, "/v3/memories/add/", &nobodys).await, 400).0, "bad_request");
    let path = "/v3/memories/search/";
    let asked = json!({"query": " ", "filters": {"user_id": "alice"}});
    assert_eq!(error(&post(&stage, &app, path, &asked).await, 422).0, "validation_failed");
    let asked = json!({"query": "tea", "filters": {"user_id": "alice"}, "top_k": 101});
    assert_eq!(error(&post(&stage, &app, path, &asked).await, 422).0, "validation_failed");
    for query in ["?page=0", "?page_size=201", "?page=x"] {
        let path = format!("/v3/memories/{query}");
        let body = json!({"filters": {"user_id": "alice"}});
        assert_eq!(error(&post(&stage, &app, &path, &body).await, 400).0, "invalid_parameter", "{query}");
    }
    assert_eq!(list(&stage, &app, json!({"user_id": "*"})).await, [""; 0]);
    let id = add(&stage, &app, "fine", &json!({"user_id": "alice"})).await;
    for body in [json!({}), json!({"text": " "}), json!({"timestamp": []}), json!({"expiration_date": "soon"})] {
        let answer = call(&stage, &app, Method::PUT, &format!("/v1/memories/{id}/"), Some(&body)).await;
        assert_eq!(error(&answer, 422).0, "validation_failed", "{body}");
    }
    assert_eq!(error(&call(&stage, &app, Method::GET, "/v1/memories/missing/", None).await, 404).0, "not_found");
    let path = format!("/v1/memories/{id}/?delete_linked=true");
    assert_eq!(error(&call(&stage, &app, Method::DELETE, &path, None).await, 400).0, "bad_request");
    assert_eq!(list(&stage, &app, json!({"user_id": "alice"})).await, ["fine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_somebodys_is_forgotten_and_nothing_else() {
    let (stage, app) = (Stage::start().await, app());
    let session = stage.session(&app, &json!({"user": "alice"})).await;
    stage.say(&session, &app, &["I am said, and not remembered."]).await;
    for (text, ids) in [
        ("One", json!({"user_id": "alice"})),
        ("Two", json!({"user_id": "alice", "run_id": "trip"})),
        ("Three", json!({"user_id": "bob"})),
    ] {
        add(&stage, &app, text, &ids).await;
    }
    let forget = async |query: &str| call(&stage, &app, Method::DELETE, &format!("/v1/memories/{query}"), None).await;
    for query in ["", "?org_id=x", "?user_id=*", "?user_id="] {
        assert_eq!(error(&forget(query).await, 400).0, "bad_request", "{query}");
    }
    // What is not understood could have meant less.
    for query in ["?user_id=alice&filters=%7B%7D", "?user_id=alice&metadata=x", "?user_id=alice&user_id=bob"] {
        assert_eq!(error(&forget(query).await, 400).0, "invalid_parameter", "{query}");
    }
    let everything = json!({"user_id": "*"});
    assert_eq!(list(&stage, &app, everything.clone()).await, ["Three", "Two", "One"]);
    let gone: Value = forget("?user_id=alice&run_id=trip&org_id=x&project_id=y").await.json(200);
    assert!(gone["message"].is_string(), "{gone}");
    assert_eq!(list(&stage, &app, everything.clone()).await, ["Three", "One"]);
    forget("?user_id=alice").await.json::<Value>(200);
    assert_eq!(list(&stage, &app, everything).await, ["Three"]);
    let turns: Value = stage.app.get(&format!("{session}/messages"), &app).await.json(200);
    assert_eq!(turns["items"].as_array().unwrap().len(), 1, "turns are no memories");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_what_is_somebody_elses() {
    let (stage, app) = (Stage::start().await, app());
    let (member, stranger) = (app.colleague(Role::Member), Actor::new(Role::Admin));
    let id = add(&stage, &app, "Likes tea", &json!({"user_id": "alice", "run_id": "trip"})).await;
    let own = add(&stage, &member, "Earns little", &json!({"user_id": "me", "run_id": "trip"})).await;
    // A member acts for no user of an application, and nobody for another member.
    let said = json!({"messages": [{"role": "user", "content": "Planted"}], "user_id": "alice"});
    assert_eq!(error(&post(&stage, &member, "/v3/memories/add/", &said).await, 403).0, "not_yours");
    let (alice, ours) = (json!({"user_id": "alice"}), json!({"user_id": member.user}));
    for (who, filters) in [(&member, &alice), (&app, &ours)] {
        for (path, body) in [
            ("/v3/memories/", json!({ "filters": filters })),
            ("/v3/memories/search/", json!({"query": "tea", "filters": filters})),
        ] {
            assert_eq!(error(&post(&stage, who, path, &body).await, 403).0, "not_yours");
        }
        let query = format!("/v1/memories/?user_id={}", filters["user_id"].as_str().unwrap());
        assert_eq!(error(&call(&stage, who, Method::DELETE, &query, None).await, 403).0, "not_yours");
    }
    // The same name of a run is another run elsewhere, and shows nothing that is out of reach.
    let trip = json!({"run_id": "trip"});
    for (who, expected) in [(&app, &["Likes tea"][..]), (&member, &["Earns little"]), (&stranger, &[])] {
        assert_eq!(list(&stage, who, trip.clone()).await, expected);
        assert_eq!(search(&stage, who, "Likes tea, earns little", trip.clone()).await, expected);
        assert_eq!(list(&stage, who, json!({"user_id": "*"})).await, expected);
        call(&stage, who, Method::DELETE, "/v1/memories/?run_id=other", None).await.json::<Value>(200);
    }
    for (who, id) in [(&stranger, &id), (&member, &id), (&app, &own)] {
        let path = format!("/v1/memories/{id}/");
        for path in [path.clone(), format!("{path}history/")] {
            assert_eq!(error(&call(&stage, who, Method::GET, &path, None).await, 404).0, "memory_not_found");
        }
        let change = json!({"text": "Changed"});
        let answer = call(&stage, who, Method::PUT, &path, Some(&change)).await;
        assert_eq!(error(&answer, 404).0, "memory_not_found");
        call(&stage, who, Method::DELETE, &path, None).await.json::<Value>(200);
    }
    call(&stage, &stranger, Method::DELETE, "/v1/memories/?run_id=trip", None).await.json::<Value>(200);
    assert_eq!(list(&stage, &app, trip.clone()).await, ["Likes tea"]);
    assert_eq!(list(&stage, &member, trip).await, ["Earns little"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_taken_from_messages_where_there_is_a_language_model() {
    let model = FakeProvider::start().await;
    let stage = Stage::with(|app| {
        app.env("BRAINOPS_EXTRACTION_URL", model.openai_url())
            .env("BRAINOPS_EXTRACTION_KEY", FakeProvider::KEY)
            .env("BRAINOPS_EXTRACTION_MODEL", "gpt-5-mini")
    })
    .await;
    let app = app();
    let fact = json!({"text": "Alice lives in Lisbon.", "about": null, "source_turns": [1], "supersedes": null});
    model.always(Reply::json(&json!({ "facts": [fact] })));
    let body = json!({"messages": [{"role": "user", "content": "<recalled-memory>x</recalled-memory>I live in Lisbon."}], "user_id": "alice",
        "run_id": "trip", "metadata": {"a": 1}, "expiration_date": "2999-12-31"});
    let queued: Value = post(&stage, &app, "/v3/memories/add/", &body).await.json(200);
    assert_eq!((&queued["status"], &queued["results"]), (&json!("PENDING"), &json!([])), "{queued}");
    let path = format!("/v1/event/{}/", queued["event_id"].as_str().unwrap());
    let mut done = Value::Null;
    eventually("the facts are taken", async || {
        done = call(&stage, &app, Method::GET, &path, None).await.json(200);
        done["status"] != "PENDING"
    })
    .await;
    assert_eq!((&done["status"], &done["id"]), (&json!("SUCCEEDED"), &queued["event_id"]), "{done}");
    let page: Value = post(&stage, &app, "/v3/memories/", &json!({"filters": {"run_id": "trip"}})).await.json(200);
    let memory = &page["results"][0];
    assert_eq!((&memory["id"], &page["count"]), (&done["results"][0]["id"], &json!(1)), "{page}");
    let expected = json!({"memory": "Alice lives in Lisbon.", "user_id": "alice", "run_id": "trip", "metadata": {"a": 1},
        "expiration_date": "2999-12-31", "categories": []});
    assert_eq!(&merged(memory, &expected), memory);
    let task = model.requests()[0].body["messages"][1]["content"].to_string();
    assert!(task.contains("I live in Lisbon.") && !task.contains("recalled-memory"), "{task}");
    // Word for word when that is asked for.
    add(&stage, &app, "I live in Lisbon.", &json!({"user_id": "alice"})).await;
    let stranger = Actor::new(Role::Admin);
    assert_eq!(error(&call(&stage, &stranger, Method::GET, &path, None).await, 404).0, "extraction_not_found");
}
