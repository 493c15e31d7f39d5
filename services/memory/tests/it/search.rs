//! What is found, and what is not.

use std::collections::BTreeSet;

use contracts::Role;
use serde_json::{Value, json};
use testkit::{Actor, providers::Reply};

use crate::support::{Stage, eventually, strings};

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_found_by_its_words_at_once_and_by_its_vector_soon() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    stage.say(&session, &ada, &["I moved to Lisbon last week", "The weather is fine"]).await;
    assert_eq!(stage.found(&ada, "Who moved to Lisbon?").await[0], "I moved to Lisbon last week");
    stage.embedded(&ada, &["I moved to Lisbon last week"]).await;
    let found = stage.search(&ada, "I moved to Lisbon last week").await;
    let hit = &found["hits"][0];
    assert_eq!((&found["semantic"], &hit["kind"], &hit["user"]), (&json!(true), &json!("message"), &json!(ada.user)));
    assert!(hit["explain"]["cosine"].as_f64().unwrap() > 0.999, "{hit}");
    assert_eq!((&hit["explain"]["rank"], &hit["explain"]["channels"]), (&json!(1), &json!(["vectors", "words"])));
    stage.embeddings.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_search_leaves_its_organization() {
    let stage = Stage::start().await;
    let (ada, eve) = (Actor::new(Role::Owner), Actor::new(Role::Owner));
    stage.remember(&ada, "The vault code is 4711", &json!({"user": null})).await;
    stage.remember(&eve, "The vault code is unknown", &json!({"user": null})).await;
    stage.embedded(&ada, &["The vault code is 4711"]).await;
    stage.embedded(&eve, &["The vault code is unknown"]).await;
    assert_eq!(stage.found(&eve, "The vault code is 4711").await, ["The vault code is unknown"]);
    assert_eq!(stage.found(&ada, "The vault code is 4711").await, ["The vault code is 4711"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_and_filter_hold_together() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Admin);
    let project = "01890a5d-ac99-7000-8000-0000000000aa";
    let session = stage.session(&ada, &json!({"agent": "support"})).await;
    stage.say(&session, &ada, &["The lamp in the session"]).await;
    let lamps = [
        ("lamp of nobody", json!({"user": null})),
        ("lamp of a customer", json!({"user": "customer-7", "tags": ["home", "light"]})),
        ("lamp of a project", json!({"user": null, "project_id": project, "metadata": {"watts": 40, "smart": true}})),
        ("lamp of an agent", json!({"agent": "support", "tags": ["light"]})),
    ];
    for (text, more) in &lamps {
        stage.remember(&ada, text, more).await;
    }
    let id = session.rsplit('/').next().unwrap();
    for (asked, expected) in [
        (json!({"scope": {"user": "customer-7"}}), vec!["lamp of a customer"]),
        (json!({"scope": {"project_id": project}}), vec!["lamp of a project"]),
        (json!({"scope": {"agent": "support"}}), vec!["The lamp in the session", "lamp of an agent"]),
        (json!({"scope": {"session_id": id}}), vec!["The lamp in the session"]),
        (json!({"filter": {"tags": ["light"]}}), vec!["lamp of a customer", "lamp of an agent"]),
        (json!({"filter": {"tags": ["light", "home"]}}), vec!["lamp of a customer"]),
        (json!({"filter": {"metadata": {"watts": 40, "smart": true}}}), vec!["lamp of a project"]),
        (json!({"filter": {"metadata": {"watts": 60}}}), vec![]),
        (json!({"filter": {"kinds": ["message"]}}), vec!["The lamp in the session"]),
        (json!({"scope": {"user": "customer-7", "agent": "support"}}), vec![]),
        (json!({"filter": {"occurred_to": "2001-01-01T00:00:00Z"}}), vec![]),
    ] {
        for _ in 0..2 {
            let found: BTreeSet<_> =
                strings(&stage.search_with(&ada, "lamp", &asked).await["hits"], "text").into_iter().collect();
            assert_eq!(found, expected.iter().map(|text| (*text).to_owned()).collect(), "{asked}");
            // Once by words alone, once with vectors.
            stage.embedded(&ada, &["The lamp in the session", "lamp of an agent", "lamp of a customer"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_found_by_its_question_and_comes_with_its_neighbours() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let turns = json!({"messages": [
        {"role": "user", "author": "Bob", "content": "Nice to see you."},
        {"role": "user", "author": "Bob", "content": "Which instrument do you play?"},
        {"role": "user", "author": "Caroline", "content": "The cello, since school."},
        {"role": "user", "author": "Bob", "content": "Wonderful."},
    ]});
    stage.app.post(&format!("{session}/messages"), &ada, &turns).await.json::<Value>(201);
    let asked = json!({"neighbours": 1, "top_k": 1});
    let found = stage.search_with(&ada, "What instrument does Caroline play?", &asked).await;
    let hit = &found["hits"][0];
    assert_eq!((&hit["text"], &hit["author"]), (&json!("The cello, since school."), &json!("Caroline")));
    assert_eq!(strings(&hit["neighbours"], "text"), ["Which instrument do you play?", "Wonderful."]);
    assert_eq!(
        (&hit["explain"]["name"], &hit["explain"]["words"].as_f64().map(|words| words > 0.0)),
        (&json!(1.0), &Some(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_embedding_server_words_must_do() {
    let stage = Stage::with(|app| app.env("BRAINOPS_EMBEDDINGS_DEADLINE_MS", "200")).await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Allergic to peanuts", &json!({})).await;
    stage.embedded(&ada, &["Allergic to peanuts"]).await;
    stage.embeddings.always(Reply::status(503));
    let found = stage.search(&ada, "peanuts allergy?").await;
    assert_eq!(
        (&found["semantic"], strings(&found["hits"], "text")),
        (&json!(false), vec!["Allergic to peanuts".to_owned()])
    );
    stage.remember(&ada, "Allergic to cats", &json!({})).await;
    assert_eq!(stage.found(&ada, "cats?").await, ["Allergic to cats"]);
    stage.embeddings.always(Reply::echo());
    stage.embedded(&ada, &["Allergic to cats"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_the_server_refuses_keeps_no_other_from_its_vector() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.embeddings.next(Reply::status(400));
    for n in 0..5 {
        stage.remember(&ada, &format!("Fact number {n}"), &json!({})).await;
    }
    for n in 0..5 {
        stage.embedded(&ada, &[&format!("Fact number {n}")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_and_a_limit_bound_the_answer() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    for n in 0..30 {
        stage
            .remember(&ada, &format!("Note {n} about the garden, twelve words long or very nearly so"), &json!({}))
            .await;
    }
    let count = async |more: Value| stage.search_with(&ada, "garden", &more).await["hits"].as_array().unwrap().len();
    assert_eq!(count(json!({})).await, 10);
    assert_eq!(count(json!({"top_k": 25})).await, 25);
    assert_eq!(count(json!({"top_k": 25, "token_budget": 50})).await, 3);
    assert_eq!(count(json!({"ranking": {"diversity": 0.5}, "top_k": 7})).await, 7);
    assert_eq!(count(json!({"ranking": {"fusion": "rrf"}, "top_k": 7})).await, 7);
    assert_eq!(count(json!({"ranking": {"min_score": 3.9}})).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_searches_are_named() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let everything = json!({"organization": true});
    for (bad, field) in [
        (json!({"query": " ", "scope": everything}), "query"),
        (json!({"query": "x".repeat(4001), "scope": everything}), "query"),
        (json!({"query": "x", "scope": everything, "top_k": 1_000_000}), "top_k"),
        (json!({"query": "x", "scope": everything, "top_k": 0}), "top_k"),
        (json!({"query": "x", "scope": everything, "neighbours": 6}), "neighbours"),
        (json!({"query": "x", "scope": {"planet": "earth"}}), "scope.planet"),
        (json!({"query": "x", "scope": everything, "filter": {"kinds": ["dream"]}}), "filter.kinds[0]"),
        (json!({"query": "x", "scope": everything, "filter": {"metadata": {"a": {}}}}), "filter.metadata"),
        (json!({"query": "x", "scope": everything, "ranking": {"diversity": 2}}), "ranking.diversity"),
        (json!({"query": "x", "scope": everything, "vector": [1, 2]}), "vector"),
    ] {
        assert_eq!(stage.app.post("/v1/memory/search", &ada, &bad).await.bad_fields(422), [field], "{field}");
    }
    for without in
        [json!({"query": "x"}), json!({"query": "x", "scope": {}}), json!({"query": "x", "scope": {"collections": []}})]
    {
        assert_eq!(stage.app.post("/v1/memory/search", &ada, &without).await.problem(422), "scope_required");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_a_search_is_in_it_however_many_write() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let writers = (0..4).map(|writer| {
        let (stage, session, ada) = (&stage, &session, &ada);
        async move {
            for n in 0..10 {
                let text = format!("zebra{writer}x{n}");
                stage.say(session, ada, &[&text]).await;
                let found = stage.search_with(ada, &text, &json!({"top_k": 100})).await;
                assert!(strings(&found["hits"], "text").contains(&text), "{text}: {found}");
            }
        }
    });
    futures_util::future::join_all(writers).await;
    eventually("all are embedded", async || stage.search(&ada, "zebra0x0").await["semantic"] == true).await;
}
