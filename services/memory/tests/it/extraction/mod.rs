//! Facts are taken from what was said by a language model, which is played by a server that says what a test wants.

mod facts;
mod given;
mod trouble;

use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use serde_json::{Value, json};
use testkit::{
    Actor,
    providers::{FakeProvider, Reply},
};

use crate::support::{Stage, eventually, strings};

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

    /// Pauses are over; leases, which are longer, are not.
    async fn later(&self) {
        self.run("UPDATE memory.extraction_jobs SET not_before = now() WHERE not_before < now() + interval '5 min'")
            .await;
    }

    /// Leases are over too.
    async fn much_later(&self) {
        self.run("UPDATE memory.extraction_jobs SET not_before = now()").await;
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

fn fact(text: &str, sources: &[i64], supersedes: Option<i64>) -> Value {
    json!({"text": text, "about": null, "source_turns": sources, "supersedes": supersedes})
}
