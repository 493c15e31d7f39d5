//! Facts are taken from what was said by a language model, which is played by a server that says what a test wants.

use chrono::TimeDelta;
use contracts::{
    Role,
    memory::v1::{MemoryAdded, MemorySuperseded},
};
use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{FakeProvider, Gate, Reply},
};

use crate::support::{Stage, eventually, merged, strings};

/// The service with a language model.
struct Listening {
    stage: Stage,
    model: FakeProvider,
}

impl Listening {
    async fn start() -> Self {
        Self::with_tokens("200000").await
    }

    async fn with_tokens(per_day: &str) -> Self {
        let model = FakeProvider::start().await;
        model.always(facts(&[]));
        let stage = Stage::with(|app| {
            app.env("BRAINOPS_EXTRACTION_URL", model.openai_url())
                .env("BRAINOPS_EXTRACTION_KEY", FakeProvider::KEY)
                .env("BRAINOPS_EXTRACTION_MODEL", "gpt-5-mini")
                .env("BRAINOPS_EXTRACTION_TOKENS_PER_DAY", per_day)
        })
        .await;
        Self { stage, model }
    }

    /// What is remembered of what `who` reaches, the newest first.
    async fn memories(&self, who: &Actor) -> Vec<Value> {
        let list: Value = self.stage.app.get("/v1/memory/memories", who).await.json(200);
        list["items"].as_array().unwrap().clone()
    }

    async fn texts(&self, who: &Actor) -> Vec<String> {
        strings(&self.memories(who).await.into(), "text")
    }

    /// Until nothing waits any more.
    async fn settled(&self) {
        eventually("nothing waits", async || self.waiting().await == 0).await;
    }

    async fn waiting(&self) -> i64 {
        let sql = "SELECT (SELECT count(*) FROM memory.extraction_jobs) \
                 + (SELECT count(*) FROM memory.extractions WHERE status = 'waiting') AS number";
        self.number(sql).await
    }

    async fn number(&self, sql: &'static str) -> i64 {
        self.stage.app.db.admin(move |conn| sql_query(sql).get_result::<Number>(conn).unwrap().number).await
    }

    async fn run(&self, sql: &'static str) {
        self.stage.app.db.admin(move |conn| sql_query(sql).execute(conn).unwrap()).await;
    }

    /// Leases and pauses are over.
    async fn later(&self) {
        self.run("UPDATE memory.extraction_jobs SET not_before = now()").await;
        self.run("UPDATE memory.extractions SET not_before = now()").await;
    }

    /// What the model was given with each of its tasks.
    fn tasks(&self) -> Vec<Value> {
        let requests = self.model.requests();
        let data = |seen: &testkit::providers::Seen| seen.body["messages"][1]["content"].as_str().unwrap().to_owned();
        requests.iter().map(|seen| serde_json::from_str(&data(seen)).unwrap()).collect()
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = sql_types::BigInt)]
    number: i64,
}

fn facts(facts: &[Value]) -> Reply {
    Reply::json(&json!({ "facts": facts }))
}

fn fact(text: &str, sources: &[i64], supersedes: Value) -> Value {
    json!({"text": text, "about": null, "source_turns": sources, "supersedes": supersedes})
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_taken_from_what_was_said() {
    let it = Listening::start().await;
    let events = it.stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let session = it.stage.session(&ada, &json!({"agent": "support"})).await;
    it.stage.say(&session, &ada, &["How is Ana?"]).await;
    it.settled().await;
    let about_ana = json!({"text": "Ana got a dog.", "about": "Ana", "source_turns": [1], "supersedes": null});
    it.model.next(facts(&[about_ana, fact("The user drinks green tea.", &[2, 1], Value::Null)]));
    let turns = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "She got a dog.", "author": "Max"},
        {"role": "tool", "content": "18 degrees", "tool_call_id": "call_1"},
        {"role": "user", "content": "<recalled-memory>The user drinks coffee.</recalled-memory> I drink green tea now."},
        {"role": "user", "content": "Lives in Lisbon.", "metadata": {"recalled": true}},
    ]});
    let stored: Value = it.stage.app.post(&format!("{session}/messages"), &ada, &turns).await.json(201);
    let ids = strings(&stored["items"], "id");
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks green tea.", "Ana got a dog."]);
    let memories = it.memories(&ada).await;
    assert_eq!(memories[0]["source_message_ids"], json!([ids[1], ids[3]]));
    assert_eq!(memories[1]["source_message_ids"], json!([ids[1]]));
    assert_eq!(memories[1]["metadata"], json!({"about": "Ana"}));
    for memory in &memories {
        assert_eq!(
            (&memory["source"], &memory["user"], &memory["agent"], &memory["session_id"]),
            (&json!("extracted"), &json!(ada.user), &json!("support"), &Value::Null)
        );
        assert!(memory["confidence"].as_f64().is_some_and(|sure| (0.4..1.0).contains(&sure)), "{memory}");
    }
    assert!(it.stage.found(&ada, "green tea").await.contains(&"The user drinks green tea.".to_owned()));
    let (_, added) = events.wait::<MemoryAdded>(|_| true).await;
    assert_eq!((added.source.as_str(), added.subject.as_deref()), ("extracted", Some(ada.user.to_string().as_str())));

    let task = it.tasks().pop().unwrap();
    assert_eq!(strings(&task["earlier_turns"], "text"), ["How is Ana?"]);
    assert_eq!(strings(&task["new_turns"], "text"), ["She got a dog.", "I drink green tea now."]);
    assert_eq!(strings(&task["new_turns"], "speaker"), ["Max", "user"]);
    let asked = it.model.last_request().body;
    assert_eq!((&asked["temperature"], &asked["model"]), (&json!(0.0), &json!("gpt-5-mini")));
    assert_eq!(asked["response_format"]["json_schema"]["strict"], true);
    it.model.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_that_wait_together_are_one_task_and_none_is_given_twice() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let gate = Gate::new();
    it.model.next(facts(&[]).held(&gate));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["One"]).await;
    it.stage.say(&session, &ada, &["Two"]).await;
    it.model.wait_for_request().await;
    it.stage.say(&session, &ada, &["Three"]).await;
    it.stage.say(&session, &ada, &["Four"]).await;
    gate.open();
    it.settled().await;
    let given: Vec<_> = it.tasks().iter().map(|task| strings(&task["new_turns"], "text")).collect();
    assert_eq!(given, [["One", "Two"], ["Three", "Four"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_dealt_with_in_pieces() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let session = it.stage.session(&ada, &json!({})).await;
    let long = |n: usize| format!("{n} {}", "words ".repeat(900));
    let texts: Vec<_> = (0..3).map(long).chain(["x".repeat(100_000)]).collect();
    it.stage.say(&session, &ada, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    it.settled().await;
    let tasks = it.tasks();
    let given: Vec<_> = tasks.iter().flat_map(|task| strings(&task["new_turns"], "text")).collect();
    assert_eq!((tasks.len(), given.len()), (4, 4));
    assert_eq!(given[3].len(), 6_000, "the beginning of a page");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_not_remembered_again() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let known = it.stage.remember(&ada, "The user drinks green tea.", &json!({})).await;
    let tea = |text: &str| fact(text, &[1], Value::Null);
    it.model.next(facts(&[
        tea("the user drinks  GREEN tea"),
        tea("The user drinks tea."),
        tea("The user drinks tea!"),
    ]));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks tea.", "The user drinks green tea."]);
    assert_eq!(it.memories(&ada).await[1]["id"], json!(known));
    let task = it.tasks().pop().unwrap();
    assert_eq!(task["memories"], json!([{"number": 1, "text": "The user drinks green tea."}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_contradicted_is_superseded() {
    let it = Listening::start().await;
    let events = it.stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let (then, later) = ("2023-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    let lisbon = it.stage.remember(&ada, "The user lives in Lisbon.", &json!({"valid_from": then})).await;
    it.model.next(facts(&[fact("The user lives in Porto.", &[1], json!(1))]));
    let session = it.stage.session(&ada, &json!({})).await;
    let moved = json!({"messages": [{"role": "user", "content": "I live in Porto now.", "occurred_at": later}]});
    it.stage.app.post(&format!("{session}/messages"), &ada, &moved).await.json::<Value>(201);
    it.settled().await;
    let path = format!("/v1/memory/memories/{lisbon}");
    let old: Value = it.stage.app.get(&path, &ada).await.json(200);
    let new = it.memories(&ada).await.remove(0);
    assert_eq!((&new["text"], &new["valid_from"]), (&json!("The user lives in Porto."), &json!(later)));
    assert_eq!((&old["valid_to"], &old["superseded_by"]), (&json!(later), &new["id"]));
    let history: Value = it.stage.app.get(&format!("{path}/history"), &ada).await.json(200);
    let last = &history["items"][1];
    assert_eq!(
        (&last["change"], &last["new_text"], &last["actor_id"]),
        (&json!("superseded"), &json!("The user lives in Porto."), &Value::Null)
    );
    let (_, event) = events.wait::<MemorySuperseded>(|_| true).await;
    assert_eq!(json!(event.superseded_by_memory_id), new["id"]);
    let facts = json!({"filter": {"kinds": ["memory"]}});
    let found = it.stage.search_with(&ada, "Where does the user live?", &facts).await;
    assert_eq!(strings(&found["hits"], "text"), ["The user lives in Porto."]);
    let past = json!({"filter": {"kinds": ["memory"], "as_of": "2023-07-01T00:00:00Z"}});
    let found = it.stage.search_with(&ada, "Where does the user live?", &past).await;
    assert_eq!(strings(&found["hits"], "text"), ["The user lives in Lisbon."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_long_ago_does_not_supersede_what_holds_since() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let since = "2024-06-01T00:00:00Z";
    it.stage.remember(&ada, "The user lives in Porto.", &json!({"valid_from": since})).await;
    it.model.next(facts(&[fact("The user lives in Lisbon.", &[1], json!(1))]));
    let session = it.stage.session(&ada, &json!({})).await;
    let said = json!({"role": "user", "content": "I live in Lisbon.", "occurred_at": "2023-01-01T00:00:00Z"});
    let said = json!({ "messages": [said] });
    it.stage.app.post(&format!("{session}/messages"), &ada, &said).await.json::<Value>(201);
    it.settled().await;
    let memories = it.memories(&ada).await;
    assert_eq!((&memories[0]["text"], &memories[0]["valid_to"]), (&json!("The user lives in Lisbon."), &json!(since)));
    assert_eq!((&memories[1]["valid_to"], &memories[1]["superseded_by"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_turns_do_not_say_is_not_believed() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    it.model.next(facts(&[
        fact("The user drinks green tea.", &[7], Value::Null),
        fact("The user drinks green tea.", &[], Value::Null),
        fact("The user plays the guitar.", &[1], Value::Null),
        fact("The user drinks green tea in Madrid.", &[1], Value::Null),
        fact("The user drinks tea.", &[1], json!(42)),
    ]));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks tea."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_memories_are_shown_to_the_model() {
    let it = Listening::start().await;
    let boss = Actor::new(Role::Owner);
    let (ada, stranger) = (boss.colleague(Role::Member), Actor::new(Role::Owner));
    let tea = |whose: &str| format!("Drinks green tea: {whose}");
    for (who, whose, more) in [
        (&stranger, "another organization's", json!({})),
        (&stranger, "what another organization shares", json!({"user": null})),
        (&boss, "a colleague's", json!({})),
        (&boss, "a customer's", json!({"user": "customer-7"})),
        (&boss, "what is shared", json!({"user": null})),
        (&ada, "my own with an agent", json!({"agent": "barista"})),
        (&ada, "my own", json!({})),
    ] {
        it.stage.remember(who, &tea(whose), &more).await;
    }
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["memories"], "text"), [tea("my own")]);
    let shared = it.stage.session(&boss, &json!({"user": null})).await;
    it.stage.say(&shared, &boss, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["memories"], "text"), [tea("what is shared")]);
    let customer = it.stage.session(&boss, &json!({"user": "customer-7"})).await;
    it.stage.say(&customer, &boss, &["I drink green tea."]).await;
    it.settled().await;
    assert_eq!(strings(&it.tasks().pop().unwrap()["memories"], "text"), [tea("a customer's")]);
}

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
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]));
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
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]));
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
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]));
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
    it.model.next(facts(&[fact("The user owns a chair.", &[1], Value::Null)]));
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
    it.model.always(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]));
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
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]).held(&gate));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.model.wait_for_request().await;
    it.stage.app.restart(&[]).await;
    gate.open();
    assert_eq!(it.waiting().await, 1);
    it.model.next(facts(&[fact("The user drinks tea.", &[1], Value::Null)]));
    it.later().await;
    it.settled().await;
    assert_eq!(it.texts(&ada).await, ["The user drinks tea."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_while_the_model_thinks_stays_forgotten() {
    let it = Listening::start().await;
    let ada = Actor::new(Role::Member);
    let gate = Gate::new();
    it.model.next(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]).held(&gate));
    let session = it.stage.session(&ada, &json!({})).await;
    it.stage.say(&session, &ada, &["I drink green tea."]).await;
    it.model.wait_for_request().await;
    let id = session.rsplit('/').next().unwrap();
    let turns = json!({"scope": {"session_id": id}, "kinds": ["message"]});
    it.stage.app.post("/v1/memory/forget", &ada, &turns).await.json::<Value>(200);
    gate.open();
    it.settled().await;
    assert_eq!(it.texts(&ada).await, [""; 0]);

    let gate = Gate::new();
    it.model.next(facts(&[fact("The user owns a lamp.", &[1], Value::Null)]).held(&gate));
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
    it.model.next(facts(&[
        fact("Caroline drinks green tea.", &[1], Value::Null),
        fact("Caroline got a quokka.", &[2], Value::Null),
    ]));
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
    it.model.always(facts(&[fact("The user drinks green tea.", &[1], Value::Null)]).held(&gate));
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
