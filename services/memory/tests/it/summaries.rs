//! Conversations are summed up, with a language model and without.

use contracts::Role;
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{FakeProvider, Gate, Reply},
};

use crate::support::{Stage, eventually, strings};

const LAMP: [&str; 4] = [
    "Hi! The red lamp in my kitchen is broken. Can you help?",
    "The lamp flickers since the kitchen was painted. My cousin likes jazz records.",
    "A kitchen lamp that flickers has a loose wire.",
    "Is it raining?",
];

/// The service with a language model that is asked for nothing but summaries.
async fn with_model(per_day: &str) -> (Stage, FakeProvider) {
    let model = FakeProvider::start().await;
    let stage = Stage::with(|app| {
        app.env("BRAINOPS_EXTRACTION_URL", model.openai_url())
            .env("BRAINOPS_EXTRACTION_KEY", FakeProvider::KEY)
            .env("BRAINOPS_EXTRACTION_MODEL", "gpt-5-mini")
            .env("BRAINOPS_EXTRACTION_TOKENS_PER_DAY", per_day)
    })
    .await;
    (stage, model)
}

/// Says something, and no facts are taken from it.
async fn say(stage: &Stage, session: &str, who: &Actor, texts: &[&str]) {
    stage.say(session, who, texts).await;
    let sql = "DELETE FROM memory.extraction_jobs";
    stage.app.db.admin(move |conn| db::diesel::RunQueryDsl::execute(db::diesel::sql_query(sql), conn).unwrap()).await;
}

fn summary(text: &str) -> Reply {
    Reply::json(&json!({ "summary": text }))
}

async fn summarized(stage: &Stage, session: &str, who: &Actor, body: &Value) -> Value {
    stage.app.post(&format!("{session}/summarize"), who, body).await.json(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_a_conversation_is_summed_up_in_its_own_sentences() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let nothing = summarized(&stage, &session, &ada, &json!({"keep": true})).await;
    let expected = json!({"summary": "", "method": "extractive", "tokens": 0, "message_count": 0, "kept": false});
    assert_eq!(nothing, expected);
    stage.say(&session, &ada, &LAMP).await;
    let made = summarized(&stage, &session, &ada, &json!({"token_budget": 50})).await;
    let text = made["summary"].as_str().unwrap();
    assert!(text.contains("kitchen") && !text.contains("raining") && !text.contains("Hi!"), "{text}");
    assert!(made["tokens"].as_u64().is_some_and(|tokens| tokens <= 50), "{made}");
    assert_eq!(
        (&made["method"], &made["message_count"], &made["kept"]),
        (&json!("extractive"), &json!(4), &json!(false))
    );
    assert_eq!(stage.app.get(&session, &ada).await.json::<Value>(200)["summary"], Value::Null);
    let again = summarized(&stage, &session, &ada, &json!({"token_budget": 50, "keep": true})).await;
    assert_eq!((&again["summary"], &again["kept"]), (&made["summary"], &json!(true)));
    assert_eq!(stage.app.get(&session, &ada).await.json::<Value>(200)["summary"], made["summary"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_may_look_and_not_keep() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let viewer = ada.colleague(Role::Viewer);
    let session = stage.session(&ada, &json!({"user": null})).await;
    stage.say(&session, &ada, &LAMP).await;
    assert_eq!(summarized(&stage, &session, &viewer, &json!({})).await["method"], "extractive");
    let path = format!("{session}/summarize");
    assert_eq!(stage.app.post(&path, &viewer, &json!({"keep": true})).await.problem(403), "insufficient_scope");
    for (body, field) in [(json!({"token_budget": 49}), "token_budget"), (json!({"words": 3}), "words")] {
        assert_eq!(stage.app.post(&path, &ada, &body).await.bad_fields(422), [field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_goes_on_from_what_was_kept() {
    let (stage, model) = with_model("200000").await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    say(&stage, &session, &ada, &LAMP).await;
    model.next(Reply::text("Here you are:"));
    model.next(summary("The red lamp is broken."));
    let made = summarized(&stage, &session, &ada, &json!({"keep": true})).await;
    assert_eq!(
        (&made["summary"], &made["method"], &made["kept"]),
        (&json!("The red lamp is broken."), &json!("model"), &json!(true))
    );
    assert_eq!(model.requests().len(), 2, "told once that this was no summary");
    say(&stage, &session, &ada, &["I bought a blue one."]).await;
    model.next(summary("The red lamp is broken, and a blue one was bought."));
    let made = summarized(&stage, &session, &ada, &json!({})).await;
    assert_eq!((&made["message_count"], &made["kept"]), (&json!(5), &json!(false)));
    let asked = model.last_request().body["messages"][1]["content"].as_str().unwrap().to_owned();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["summary"], "The red lamp is broken.");
    assert_eq!(strings(&asked["turns"], "text"), ["I bought a blue one."]);
    let session: Value = stage.app.get(&session, &ada).await.json(200);
    assert_eq!(session["summary"], "The red lamp is broken.", "what was not kept changes nothing");
    model.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_summed_up_piece_by_piece() {
    let (stage, model) = with_model("200000").await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    let said = |n: usize| format!("{n} {}", "The lamp is red. ".repeat(200));
    let texts: Vec<_> = (0..5).map(said).collect();
    say(&stage, &session, &ada, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for n in 1..=3 {
        model.next(summary(&format!("Summary {n}.")));
    }
    let made = summarized(&stage, &session, &ada, &json!({})).await;
    assert_eq!((&made["summary"], &made["method"]), (&json!("Summary 3."), &json!("model")));
    let data = |place: usize| -> Value {
        serde_json::from_str(model.requests()[place].body["messages"][1]["content"].as_str().unwrap()).unwrap()
    };
    let parts: Vec<_> =
        (0..3).map(|place| (data(place)["summary"].clone(), data(place)["turns"].as_array().unwrap().len())).collect();
    assert_eq!(parts, [(json!(""), 2), (json!("Summary 1."), 2), (json!("Summary 2."), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_of_the_model_its_own_sentences_must_do() {
    let (stage, model) = with_model("200000").await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    say(&stage, &session, &ada, &LAMP).await;
    for reply in [Reply::hangup(), Reply::status(503), Reply::status(400), Reply::text("No.")] {
        model.always(reply);
        assert_eq!(summarized(&stage, &session, &ada, &json!({})).await["method"], "extractive");
    }
    let (poor, model) = with_model("100").await;
    let session = poor.session(&ada, &json!({})).await;
    say(&poor, &session, &ada, &LAMP).await;
    assert_eq!(summarized(&poor, &session, &ada, &json!({})).await["method"], "extractive");
    assert_eq!(model.requests().len(), 0, "nothing is left for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_of_what_is_forgotten_meanwhile_is_not_kept() {
    let (stage, model) = with_model("200000").await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    say(&stage, &session, &ada, &["My salary is secret."]).await;
    let fork: Value = stage.app.post(&format!("{session}/fork"), &ada, &json!({})).await.json(201);
    let fork = format!("/v1/memory/sessions/{}", fork["id"].as_str().unwrap());
    for path in [&fork, &session] {
        say(&stage, &session, &ada, &["My salary is secret."]).await;
        let gate = Gate::new();
        model.next(summary("Has a secret salary.").held(&gate));
        let keep = json!({"keep": true});
        let asking = summarized(&stage, path, &ada, &keep);
        let forgetting = async {
            eventually("the model is asked", async || model.active() == 1).await;
            let id = session.rsplit('/').next().unwrap();
            let turns = json!({"scope": {"session_id": id}, "filter": {"kinds": ["message"]}});
            stage.app.post("/v1/memory/forget", &ada, &turns).await.json::<Value>(200);
            gate.open();
        };
        let (made, ()) = tokio::join!(asking, forgetting);
        assert_eq!((&made["method"], &made["kept"]), (&json!("model"), &json!(false)), "{path}");
        assert_eq!(stage.app.get(path, &ada).await.json::<Value>(200)["summary"], Value::Null);
    }
}
