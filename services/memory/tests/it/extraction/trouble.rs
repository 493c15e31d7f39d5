//! Something goes wrong, and nothing is lost or done twice.

use chrono::TimeDelta;
use contracts::Role;
use db::diesel::{RunQueryDsl as _, sql_query};
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{Gate, Reply},
};

use super::{Listening, Number, fact, facts};
use crate::support::{Stage, eventually, strings};

#[tokio::test(flavor = "multi_thread")]
async fn turns_wait_for_the_next_day_when_the_tokens_are_used() {
    // Enough for one call at a time, of which each costs less than it might.
    let it = Listening::with_tokens("1500").await;
    let (ada, other) = (Actor::new(Role::Member), Actor::new(Role::Member));
    let session = it.stage.session(&ada, &json!({})).await;
    let mut calls = 0;
    eventually("the tokens are used", async || {
        it.stage.say(&session, &ada, &["I drink green tea."]).await;
        it.later().await;
        calls = it.model.requests().len();
        it.number("SELECT count(*) AS number FROM memory.extraction_usage WHERE exhausted").await == 1
    })
    .await;
    let used = it.number("SELECT tokens AS number FROM memory.extraction_usage").await;
    assert!(calls > 0 && (1..=1_500).contains(&used), "{calls} {used}");
    // Others go on.
    let elsewhere = it.stage.session(&other, &json!({})).await;
    it.stage.say(&elsewhere, &other, &["I drink coffee."]).await;
    eventually("the other organization's turn is done", async || it.waiting().await == 1).await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["new_turns"], "text"), ["I drink coffee."]);
    it.later().await;
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], None)]));
    it.stage.app.clock.advance(TimeDelta::days(1));
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks green tea."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_model_is_away_nothing_is_lost() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.next(Reply::hangup());
    it.model.next(Reply::status(503));
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], None)]));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    eventually("it is tried again", async || {
        it.later().await;
        it.waiting().await == 0
    })
    .await;
    assert_eq!(it.texts(&ada).await, ["The user drinks green tea."]);
    let used = it.number("SELECT tokens AS number FROM memory.extraction_usage").await;
    assert!(used < 1_000, "only what was answered costs something: {used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_breaks_the_schema_is_told_so_once() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.next(Reply::text("Sure, here are the facts!"));
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], None)]));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks green tea."]);
    let told = &it.model.last_request().body["messages"];
    assert_eq!(
        (told[2]["role"].as_str(), told[2]["content"].as_str()),
        (Some("assistant"), Some("Sure, here are the facts!"))
    );
    assert!(told[3]["content"].as_str().unwrap().contains("does not follow the schema"), "{told}");

    it.model.next(Reply::text("Sure!"));
    it.model.next(Reply::text("I did already."));
    it.stage.say(&session, &ada, &["I own a lamp."]).await;
    it.settled().await;
    assert_eq!(it.model.requests().len(), 4, "then it is left at that");
    it.model.next(facts(&[fact("The user owns a chair.", &[1], None)]));
    it.stage.say(&session, &ada, &["I own a chair."]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user owns a chair.", "The user drinks green tea."]);
    it.model.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_that_a_server_refuses_are_given_up_in_the_end() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.always(Reply::status(400));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    eventually("it is given up", async || {
        it.later().await;
        it.waiting().await == 0
    })
    .await;
    assert_eq!((it.model.requests().len(), it.texts(&ada).await.len()), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_nothing_waits() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let session = stage.session(&ada, &json!({})).await;
    stage.say(&session, &ada, &["I drink green tea."]).await;
    let sql =
        "SELECT (SELECT count(*) FROM memory.extraction_jobs) + (SELECT count(*) FROM memory.extractions) AS number";
    let infer = json!({"infer": true, "text": "I drink green tea."});
    assert_eq!(stage.app.post("/v1/memory/memories", &ada, &infer).await.problem(422), "extraction_unavailable");
    let number = stage.app.db.admin(move |conn| sql_query(sql).get_result::<Number>(conn).unwrap().number).await;
    assert_eq!(number, 0);
    assert_eq!(stage.found(&ada, "green tea").await, ["I drink green tea."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_between_the_answer_and_the_commit_is_done_again_and_remembered_once() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.always(facts(&[fact("The user drinks green tea.", &[1], None)]));
    it.run(
        "CREATE FUNCTION memory.not_today() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF TG_OP = 'DELETE' OR NEW.text <> '' THEN RAISE 'not today'; END IF; RETURN NEW; END$$",
    )
    .await;
    // The very last step of the transaction.
    it.run(
        "CREATE CONSTRAINT TRIGGER not_today AFTER INSERT ON memory.memories DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION memory.not_today()",
    )
    .await;
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    eventually("it failed twice", async || {
        it.later().await;
        it.model.requests().len() >= 2
    })
    .await;
    assert_eq!((it.texts(&ada).await.len(), it.waiting().await), (0, 1), "all of it or nothing");
    it.run("DROP TRIGGER not_today ON memory.memories").await;
    eventually("it is done", async || {
        it.later().await;
        it.waiting().await == 0
    })
    .await;
    assert_eq!(it.texts(&ada).await, ["The user drinks green tea."]);
    let rows = it.number("SELECT count(*) AS number FROM memory.memory_history").await;
    assert_eq!(rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_over_turns_is_replaced() {
    let mut it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let gate = Gate::new();
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], None)]).held(&gate));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.model.wait_for_request().await;
    it.stage.app.restart(&[]).await;
    gate.open();
    assert_eq!(it.waiting().await, 1);
    it.model.next(facts(&[fact("The user drinks tea.", &[1], None)]));
    it.much_later().await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks tea."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_while_the_model_thinks_stays_forgotten() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let gate = Gate::new();
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], None)]).held(&gate));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.model.wait_for_request().await;
    let id = session.rsplit('/').next().unwrap();
    let turns = json!({"scope": {"session_id": id}, "filter": {"kinds": ["message"]}});
    it.stage.app.post("/v1/memory/forget", &ada, &turns).await.json::<Value>(200);
    gate.open();
    it.settled().await;
    assert_eq!(it.texts(&ada).await, [""; 0]);

    let gate = Gate::new();
    it.model.next(facts(&[fact("The user owns a lamp.", &[1], None)]).held(&gate));
    it.stage.say(&session, &ada, &["I own a lamp."]).await;
    it.model.wait_for_request().await;
    assert_eq!(it.stage.delete(&session, &ada).await.status, 204);
    assert_eq!(it.waiting().await, 0, "with its session");
    gate.open();
    it.model.wait_until_idle().await;
    let other = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&other, &ada, &["Next"]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, [""; 0]);
}
