//! Which memories are meant: ids, filters, pages.

use reqwest::Method;
use serde_json::{Value, json};

use super::{BASE, add, app, call, error, list, post, search};
use crate::support::{Stage, merged, strings};

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_kept_apart_and_come_back() {
    let (stage, app) = (Stage::start().await, app());
    let run = "01890a5d-ac99-7000-8000-0000000000aa";
    add(&stage, &app, "Likes tea", &json!({"user_id": "alice"})).await;
    add(&stage, &app, "Likes tea", &json!({"user_id": "alice", "run_id": "trip"})).await;
    add(&stage, &app, "Likes tea", &json!({"user_id": "alice", "app_id": "shop"})).await;
    add(&stage, &app, "Likes tea", &json!({"filters": {"user_id": "bob", "agent_id": "waiter"}})).await;
    add(&stage, &app, "Likes tea", &json!({"agent_id": "waiter", "run_id": run})).await;
    let whose = async |filters: Value| {
        let page: Value = post(&stage, &app, "/v3/memories/", &json!({ "filters": filters })).await.json(200);
        let names = |memory: &Value| {
            ["user_id", "agent_id", "app_id", "run_id"]
                .map(|id| memory[id].as_str().unwrap_or("-").to_owned())
                .join(" ")
        };
        let mut names: Vec<_> = page["results"].as_array().unwrap().iter().map(names).collect();
        names.sort();
        let found: Value =
            post(&stage, &app, "/v2/memories/search/", &json!({"query": "tea", "filters": filters})).await.json(200);
        assert_eq!(found["results"].as_array().unwrap().len(), names.len(), "a search finds what a list shows");
        names
    };
    assert_eq!(whose(json!({"user_id": "alice"})).await, ["alice - - -", "alice - - trip", "alice - shop -"]);
    assert_eq!(whose(json!({"run_id": "trip"})).await, ["alice - - trip"]);
    assert_eq!(whose(json!({"app_id": "shop", "user_id": "alice"})).await, ["alice - shop -"]);
    assert_eq!(whose(json!({"app_id": "trip"})).await, [""; 0], "a name of an app is none of a run");
    let own = format!("{} waiter - {run}", app.user);
    let mut expected = vec!["bob waiter - -".to_owned(), own.clone()];
    expected.sort();
    assert_eq!(whose(json!({"agent_id": "waiter"})).await, expected);
    assert_eq!(whose(json!({ "run_id": run })).await, std::slice::from_ref(&own));
    assert_eq!(whose(json!({"user_id": "me"})).await, [own]);
    assert_eq!(whose(json!({"user_id": "*"})).await.len(), 5);
    // What mem0 calls a run is a session here, and its name is no category.
    let native: Value = stage.app.get(&format!("/v1/memory/memories?session_id={run}"), &app).await.json(200);
    assert_eq!(native["items"].as_array().unwrap().len(), 1);
    let page: Value = post(&stage, &app, "/v3/memories/", &json!({"filters": {"run_id": "trip"}})).await.json(200);
    assert_eq!(page["results"][0]["categories"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_applied_alike_by_lists_and_searches() {
    let (stage, app) = (Stage::start().await, app());
    let of = |user: &str, more: Value| merged(&json!({ "user": user }), &more);
    stage
        .remember(
            &app,
            "Tea at home",
            &of("alice", json!({"tags": ["home", "food"], "metadata": {"sure": true, "n": 5}})),
        )
        .await;
    stage
        .remember(&app, "Tea at work", &of("alice", json!({"tags": ["work"], "valid_from": "2023-05-01T00:00:00Z"})))
        .await;
    stage.remember(&app, "Tea for Bob", &of("bob", json!({"agent": "waiter", "metadata": {"sure": false}}))).await;
    let both = async |filters: Value| {
        let (mut listed, mut found) =
            (list(&stage, &app, filters.clone()).await, search(&stage, &app, "Tea", filters.clone()).await);
        listed.sort();
        found.sort();
        assert_eq!(listed, found, "{filters}");
        listed.join(", ")
    };
    for (filters, expected) in [
        (json!({"user_id": "alice"}), "Tea at home, Tea at work"),
        (json!({"AND": [{"user_id": "alice"}, {"categories": {"in": ["home"]}}]}), "Tea at home"),
        (json!({"user_id": "alice", "categories": {"contains": "work"}}), "Tea at work"),
        (json!({"user_id": "alice", "categories": {"in": ["food", "work", "odd"]}}), "Tea at home, Tea at work"),
        (json!({"user_id": {"in": ["alice", "bob"]}, "metadata": {"sure": true, "n": 5}}), "Tea at home"),
        (json!({"user_id": "*", "metadata": {"sure": false}}), "Tea for Bob"),
        (
            json!({"OR": [{"user_id": "bob"}, {"AND": [{"user_id": "alice"}, {"categories": {"in": ["home"]}}]}]}),
            "Tea at home, Tea for Bob",
        ),
        (
            json!({"OR": [{"user_id": "alice"}, {"agent_id": "waiter"}, {"user_id": "bob"}]}),
            "Tea at home, Tea at work, Tea for Bob",
        ),
        (json!({"AND": [{"user_id": "alice"}, {"user_id": "bob"}]}), ""),
        (json!({"OR": []}), ""),
        (json!({"user_id": "alice", "created_at": {"lt": "2024-01-01"}}), "Tea at work"),
        (
            json!({"user_id": "alice", "created_at": {"lte": "2023-05-01T00:00:00Z", "gte": 1_682_899_200}}),
            "Tea at work",
        ),
        (json!({"user_id": "alice", "created_at": {"gt": "2023-05-01T00:00:00Z"}}), "Tea at home"),
    ] {
        assert_eq!(both(filters.clone()).await, expected, "{filters}");
    }
    // What is given beside the filters holds too.
    let body =
        json!({"query": "Tea", "user_id": "alice", "categories": ["home"], "metadata": {"sure": true}, "rerank": true});
    let found: Value = post(&stage, &app, "/v3/memories/search/", &body).await.json(200);
    assert_eq!(strings(&found["results"], "memory"), ["Tea at home"]);
    let body = json!({"filters": {"user_id": "alice"}, "start_date": "2023-01-01", "end_date": "2023-12-31"});
    let page: Value = post(&stage, &app, "/v2/memories/", &body).await.json(200);
    assert_eq!(strings(&page["results"], "memory"), ["Tea at work"]);
    let body = json!({"query": "Tea", "filters": {"user_id": {"in": ["alice", "bob"]}}, "top_k": 2});
    let found: Value = post(&stage, &app, "/v3/memories/search/", &body).await.json(200);
    let scores: Vec<_> =
        found["results"].as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 2 && scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
    let none = merged(&body, &json!({"threshold": 4}));
    assert_eq!(post(&stage, &app, "/v3/memories/search/", &none).await.json::<Value>(200)["results"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_is_refused_and_not_passed_over() {
    let (stage, app) = (Stage::start().await, app());
    add(&stage, &app, "Likes tea", &json!({"user_id": "alice"})).await;
    let many: Vec<_> = (0..11).map(|n| format!("user-{n}")).collect();
    let nested = json!({"user_id": {"in": ["a", "b", "c", "d"]}, "categories": {"in": ["x", "y", "z"]}});
    for (filters, named) in [
        (json!({"NOT": [{"user_id": "alice"}]}), "filters.NOT"),
        (json!({"AND": [{"user_id": "alice"}, {"keywords": {"contains": "tea"}}]}), "filters.AND[1].keywords"),
        (json!({"user_id": {"ne": "bob"}}), "filters.user_id"),
        (json!({"user_id": {"in": ["alice"], "ne": "bob"}}), "filters.user_id"),
        (json!({"user_id": null}), "filters.user_id"),
        (json!({"user_id": ""}), "filters.user_id"),
        (json!({"agent_id": "*"}), "filters.agent_id"),
        (json!({"user_id": "alice", "updated_at": {"gte": "2024-01-01"}}), "filters.updated_at"),
        (json!({"user_id": "alice", "created_at": "2024-01-01"}), "filters.created_at"),
        (json!({"user_id": "alice", "created_at": {"gte": "soon"}}), "filters.created_at"),
        (json!({"user_id": "alice", "created_at": {"ne": "2024-01-01"}}), "filters.created_at"),
        (json!({"user_id": "alice", "metadata": {"a": {"gte": 1}}}), "filters.metadata"),
        (json!({"user_id": "alice", "categories": {"contains": "a", "in": ["b"]}}), "filters.categories"),
        (json!({"user_id": "alice", "shoe_size": 43}), "filters.shoe_size"),
        (json!({"AND": {"user_id": "alice"}}), "filters.AND"),
        (json!([{"user_id": "alice"}]), "filters"),
        (json!({"user_id": {"in": many}}), "filters.user_id"),
        (nested, "filters.categories"),
        // Whose memories are meant is to be said everywhere.
        (json!({}), "filters"),
        (json!({"metadata": {"a": 1}}), "filters"),
        (json!({"OR": [{"user_id": "alice"}, {"categories": {"in": ["x"]}}]}), "filters"),
    ] {
        for (path, body) in [
            ("/v3/memories/", json!({ "filters": filters })),
            ("/v3/memories/search/", json!({"query": "tea", "filters": filters})),
        ] {
            let (code, detail) = error(&post(&stage, &app, path, &body).await, 400);
            assert_eq!(code, "bad_request", "{filters}");
            assert!(detail.contains(&format!(": {named} ")), "{detail} of {filters}");
        }
    }
    let said = json!({"messages": [{"role": "user", "content": "x"}], "user_id": "alice"});
    let asked = json!({"query": "tea", "filters": {"user_id": "alice"}});
    for (path, body, more) in [
        ("/v3/memories/add/", &said, json!({"custom_categories": [{"food": "what one eats"}]})),
        ("/v3/memories/add/", &said, json!({"custom_instructions": "Only allergies."})),
        ("/v3/memories/add/", &said, json!({"enable_graph": true})),
        ("/v1/memories/", &said, json!({"immutable": true})),
        ("/v3/memories/search/", &asked, json!({"fields": ["memory"]})),
        ("/v3/memories/search/", &asked, json!({"show_expired": true})),
        ("/v3/memories/search/", &asked, json!({"reference_date": "2023-01-01"})),
        ("/v3/memories/", &asked, json!({"show_expired": true})),
    ] {
        let (code, detail) = error(&post(&stage, &app, path, &merged(body, &more)).await, 400);
        assert_eq!(code, "bad_request", "{more}");
        let name = more.as_object().unwrap().keys().next().unwrap();
        assert!(detail.contains(name), "{detail}");
    }
    for path in ["/v1/entities/", "/v1/memories", "/v3/memories", "/v1/batch/", "/v1/exports/"] {
        error(&call(&stage, &app, Method::GET, path, None).await, 404);
    }
    assert_eq!(list(&stage, &app, json!({"user_id": "*"})).await, ["Likes tea"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_numbers() {
    let (stage, app) = (Stage::start().await, app());
    for n in 0..5 {
        add(&stage, &app, &format!("Fact {n}"), &json!({"user_id": "alice"})).await;
    }
    add(&stage, &app, "Another", &json!({"user_id": "bob"})).await;
    let page = async |query: &str| -> Value {
        let body = json!({"filters": {"AND": [{"user_id": "alice"}]}});
        post(&stage, &app, &format!("/v3/memories/{query}"), &body).await.json(200)
    };
    let all = page("").await;
    assert_eq!((&all["count"], &all["next"], &all["previous"]), (&json!(5), &Value::Null, &Value::Null));
    assert_eq!(strings(&all["results"], "memory"), ["Fact 4", "Fact 3", "Fact 2", "Fact 1", "Fact 0"]);
    let second = page("?page=2&page_size=2&org_id=x").await;
    assert_eq!(strings(&second["results"], "memory"), ["Fact 2", "Fact 1"]);
    let path = |n: u32| json!(format!("{BASE}/v3/memories/?page={n}&page_size=2"));
    assert_eq!((&second["count"], &second["next"], &second["previous"]), (&json!(5), &path(3), &path(1)));
    assert_eq!(page("?page=3&page_size=2").await["next"], Value::Null);
    assert_eq!(page("?page=9&page_size=2").await["results"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_held_once_or_has_expired_is_not_listed() {
    let (stage, app) = (Stage::start().await, app());
    let old = stage.remember(&app, "Lives in Lisbon", &json!({"user": "alice"})).await;
    stage.remember(&app, "Lives in Porto", &json!({"user": "alice", "supersedes": [old]})).await;
    let soon = testkit::test_start().date_naive();
    add(&stage, &app, "Parked on level 3", &json!({"user_id": "alice", "expiration_date": soon})).await;
    let back = json!({"user_id": "alice", "timestamp": 1_682_899_200});
    let id = add(&stage, &app, "Moved to Porto", &back).await;
    let memory: Value = call(&stage, &app, Method::GET, &format!("/v1/memories/{id}/"), None).await.json(200);
    assert_eq!(memory["created_at"], "2023-05-01T00:00:00Z");
    let alice = json!({"user_id": "alice"});
    assert_eq!(list(&stage, &app, alice.clone()).await, ["Moved to Porto", "Parked on level 3", "Lives in Porto"]);
    stage.app.clock.advance(chrono::TimeDelta::days(1));
    assert_eq!(list(&stage, &app, alice.clone()).await, ["Moved to Porto", "Lives in Porto"]);
    let path = format!("/v1/memories/{old}/history/");
    let history: Value = call(&stage, &app, Method::GET, &path, None).await.json(200);
    assert_eq!(strings(&history, "event"), ["ADD", "UPDATE"]);
    assert_eq!(history[1]["new_memory"], "Lives in Porto");
}
