//! A service with models of our making, and what several tests do with it.

use std::{fmt::Write as _, time::Duration};

use ai::Ai;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contracts::{CloudEvent, Event, EventId, Origin};
use db::diesel::{self, QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query, sql_types};
use kit::{Ids as _, RandomIds, seal::Keyring};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::{Actor, Answer, TestApp, TestAppBuilder, providers::FakeProvider, test_start};
use uuid::Uuid;

/// The service, not started yet, with short deadlines.
pub fn builder() -> TestAppBuilder<Ai> {
    TestApp::<Ai>::builder()
        .env("BRAINOPS_AI_FIRST_BYTE_TIMEOUT_MS", "1000")
        .env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "1000")
        .env("BRAINOPS_AI_ATTEMPT_TIMEOUT_MS", "1000")
        .env("BRAINOPS_AI_TOTAL_TIMEOUT_MS", "8000")
        .env("BRAINOPS_AI_TOKEN_COUNTING", "estimate")
}

/// A model of the whole installation.
pub struct Model<'a> {
    pub alias: &'a str,
    /// Where it leads: a fake, the protocol to speak with it, and the rank.
    pub routes: &'a [(&'a FakeProvider, &'a str, u32)],
    pub context_window: i32,
    pub max_output_tokens: Option<i32>,
    pub capabilities: &'a [&'a str],
}

/// Everything that a model can do.
pub const ABLE: &[&str] = &[
    "chat",
    "streaming",
    "tools",
    "parallel_tool_calls",
    "vision",
    "audio",
    "files",
    "json_object",
    "json_schema",
    "logprobs",
    "reasoning",
];

/// A model named `m` that can do everything, costs 1,000 nano-USD an input token and 2,000 an output token.
pub fn model<'a>(routes: &'a [(&'a FakeProvider, &'a str, u32)]) -> Model<'a> {
    Model { alias: "m", routes, context_window: 100_000, max_output_tokens: Some(8_000), capabilities: ABLE }
}

impl Model<'_> {
    /// Puts it into the tables, with a provider for each route.
    pub async fn add(&self, app: &TestApp<Ai>) {
        let key = STANDARD.encode((0..32).collect::<Vec<u8>>());
        let keyring = Keyring::from_config(&format!("test:{key}")).unwrap();
        let model = id();
        let capabilities = self.capabilities.join(",");
        let output = self.max_output_tokens.map_or("NULL".to_owned(), |most| most.to_string());
        let mut sql = format!(
            "INSERT INTO ai.models (id, alias, context_window, max_output_tokens, capabilities, prices, created_at, updated_at) \
             VALUES ('{model}', '{}', {}, {output}, '{{{capabilities}}}', '{{\"input\":1000,\"output\":2000}}', now(), now());",
            self.alias, self.context_window
        );
        for (position, (fake, kind, rank)) in self.routes.iter().enumerate() {
            let provider = id();
            let sealed = keyring.seal(&format!("providers/{provider}"), FakeProvider::KEY.as_bytes()).unwrap();
            let url = match *kind {
                "openai" => fake.openai_url(),
                "anthropic" => fake.anthropic_url(),
                _ => fake.gemini_url(),
            };
            write!(
                sql,
                "INSERT INTO ai.providers (id, name, kind, base_url, key_sealed, created_at, updated_at) \
                 VALUES ('{provider}', '{kind}-{position}', '{kind}', '{url}', '{sealed}', now(), now()); \
                 INSERT INTO ai.routes (id, model_id, provider_id, upstream_model, weight, fallback, position) \
                 VALUES ('{}', '{model}', '{provider}', '{}', 1, {rank}, {position});",
                id(),
                upstream(kind, position),
            )
            .unwrap();
        }
        app.db.admin(move |conn| conn.batch_execute(&sql).expect("a model")).await;
    }
}

/// The provider's name of the model behind the route at `position`.
pub fn upstream(kind: &str, position: usize) -> String {
    let name = match kind {
        "openai" => "gpt-5-mini",
        "anthropic" => "claude-sonnet-4-5",
        _ => "gemini-2.5-flash",
    };
    if position == 0 { name.to_owned() } else { format!("{name}-{position}") }
}

/// The service with `m`, which leads to one fake that speaks OpenAI's protocol.
pub async fn one(fake: &FakeProvider) -> TestApp<Ai> {
    let app = builder().start().await;
    model(&[(fake, "openai", 0)]).add(&app).await;
    app
}

/// The same with something more in its environment.
pub async fn one_with(fake: &FakeProvider, more: &[(&str, &str)]) -> TestApp<Ai> {
    let app = more.iter().fold(builder(), |app, (name, value)| app.env(name, *value)).start().await;
    model(&[(fake, "openai", 0)]).add(&app).await;
    app
}

/// A member of an organization.
pub fn member() -> Actor {
    Actor::new(contracts::Role::Member)
}

/// A chat with `m` of one message.
pub fn chat(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// The same, streamed.
pub fn streamed(text: &str) -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": text}]})
}

pub const CHAT: &str = "/v1/chat/completions";

/// Begins a stream.
pub async fn open(app: &TestApp<Ai>, actor: &Actor, path: &str, body: &Value) -> Response {
    let request = app.request(Method::POST, path).bearer_auth(app.auth.token(actor)).json(body);
    request.send().await.expect("an answer")
}

/// Posts with a header more.
pub async fn post_with(app: &TestApp<Ai>, actor: &Actor, body: &Value, header: (&str, &str)) -> Answer {
    let request = app.request(Method::POST, CHAT).bearer_auth(app.auth.token(actor)).header(header.0, header.1);
    Answer::to(request.json(body)).await
}

/// The `data` of the events of a stream, and what came between them as comments.
pub fn events(text: &str) -> Vec<String> {
    text.split("\n\n")
        .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
        .map(str::to_owned)
        .collect()
}

/// The text of a streamed chat completion.
pub fn said(text: &str) -> String {
    let chunks = events(text).into_iter().filter_map(|data| serde_json::from_str::<Value>(&data).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

/// What a usage record says.
#[derive(Debug, QueryableByName)]
pub struct Record {
    #[diesel(sql_type = sql_types::Text)]
    pub outcome: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub input_tokens: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub output_tokens: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub cost_nano_usd: i64,
    #[diesel(sql_type = sql_types::Bool)]
    pub estimated: bool,
    #[diesel(sql_type = sql_types::Bool)]
    pub cached: bool,
    #[diesel(sql_type = sql_types::Bool)]
    pub streamed: bool,
    #[diesel(sql_type = sql_types::Integer)]
    pub attempts: i32,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub session_id: Option<String>,
}

/// Another service tells something in the actor's organization.
pub async fn publish<E: Event>(app: &TestApp<Ai>, actor: &Actor, sequence: i64, event: &E) {
    let origin = Origin { actor: None, org: Some(actor.org), traceparent: None, at: test_start() };
    let id = EventId::from_uuid(RandomIds.uuid());
    app.publish(&CloudEvent::new(id, &origin, sequence, event).unwrap()).await;
}

/// All usage records, oldest first, as soon as there are `count`.
pub async fn records(app: &TestApp<Ai>, count: usize) -> Vec<Record> {
    let found = async {
        loop {
            let records: Vec<Record> = app
                .db
                .admin(|conn| {
                    let sql = "SELECT outcome, input_tokens, output_tokens, cost_nano_usd, estimated, cached, streamed, \
                               attempts, session_id FROM ai.usage_records ORDER BY recorded_at, id";
                    sql_query(sql).load(conn).expect("usage records")
                })
                .await;
            if records.len() >= count {
                return records;
            }
            // They are written behind the answers.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.unwrap_or_else(|_| panic!("fewer than {count} records"))
}

pub fn id() -> Uuid {
    // Any actor's id is an id that no other test has.
    member().user.uuid()
}
