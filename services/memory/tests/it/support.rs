//! What several tests need.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use memory::Memory;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
pub use testkit::merged;
use testkit::{Actor, Answer, TestApp, TestAppBuilder, providers::FakeProvider};
use tokio::time::{Instant, sleep};

/// The program that reads documents; the running one is that of the tests.
pub const EXTRACTOR: &str = env!("CARGO_BIN_EXE_memory");

/// The service with an embedding server and a directory for its index.
pub struct Stage {
    pub app: TestApp<Memory>,
    pub embeddings: FakeProvider,
    pub directory: TempDir,
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(|app| app).await
    }

    /// With something different in its environment.
    pub async fn with(more: impl FnOnce(TestAppBuilder<Memory>) -> TestAppBuilder<Memory>) -> Self {
        let (embeddings, directory) = (FakeProvider::start().await, tempfile::tempdir().unwrap());
        let app = TestApp::<Memory>::builder()
            .env("BRAINOPS_EMBEDDINGS_URL", embeddings.openai_url())
            .env("BRAINOPS_EMBEDDINGS_KEY", FakeProvider::KEY)
            .env("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-small")
            .env("BRAINOPS_VECTORS_DIR", directory.path().to_str().unwrap())
            .env("BRAINOPS_VECTORS_COMMIT_INTERVAL_MS", "100")
            .env("BRAINOPS_MEMORY_EXTRACTOR", EXTRACTOR);
        Self { app: more(app).start().await, embeddings, directory }
    }

    /// Begins a conversation; gives its path.
    pub async fn session(&self, who: &Actor, more: &Value) -> String {
        let made = self.app.post("/v1/memory/sessions", who, more).await;
        made.json::<Value>(201);
        made.header("location").unwrap().to_owned()
    }

    /// Stores turns of `user`; gives their ids.
    pub async fn say(&self, session: &str, who: &Actor, texts: &[&str]) -> Vec<String> {
        let messages: Vec<_> = texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        let path = format!("{session}/messages");
        let stored: Value = self.app.post(&path, who, &json!({ "messages": messages })).await.json(201);
        strings(&stored["items"], "id")
    }

    /// Remembers something; gives its id.
    pub async fn remember(&self, who: &Actor, text: &str, more: &Value) -> String {
        let made: Value =
            self.app.post("/v1/memory/memories", who, &merged(&json!({ "text": text }), more)).await.json(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Makes a collection; gives its id.
    pub async fn collection(&self, who: &Actor, name: &str, more: &Value) -> String {
        let body = merged(&json!({ "name": name }), more);
        let made: Value = self.app.post("/v1/memory/collections", who, &body).await.json(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a document.
    pub async fn upload(&self, who: &Actor, collection: &str, name: &str, content: &[u8], more: &Value) -> Answer {
        let body = json!({"collection_id": collection, "name": name, "content_base64": STANDARD.encode(content)});
        self.app.post("/v1/memory/documents", who, &merged(&body, more)).await
    }

    /// Waits until a document is read; gives it as it is then.
    pub async fn indexed(&self, who: &Actor, path: &str) -> Value {
        let mut document = Value::Null;
        eventually(&format!("{path} is read"), async || {
            document = self.app.get(path, who).await.json(200);
            document["status"] == "indexed" || document["status"] == "failed"
        })
        .await;
        document
    }

    /// Uploads a text and waits until it is found; gives the document's path.
    pub async fn indexed_text(&self, who: &Actor, collection: &str, text: &str) -> String {
        let answer = self.upload(who, collection, "note.txt", text.as_bytes(), &json!({})).await;
        answer.json::<Value>(202);
        let path = answer.header("location").unwrap().to_owned();
        assert_eq!(self.indexed(who, &path).await["status"], "indexed", "{text}");
        path
    }

    /// How many documents, contents, chunks, entries with a text and vectors there are.
    pub async fn rows_of_documents(&self) -> [i64; 5] {
        let mut rows = [0; 5];
        let tables = ["documents", "document_contents", "chunks", "entries WHERE text <> ''", "vectors"];
        for (table, rows) in tables.into_iter().zip(&mut rows) {
            *rows = self.count(&format!("FROM memory.{table}")).await;
        }
        rows
    }

    /// How many rows there are.
    pub async fn count(&self, from: &str) -> i64 {
        let sql = format!("SELECT count(*) AS rows {from}");
        self.app.db.admin(move |conn| sql_query(sql).get_result::<Count>(conn).unwrap().rows).await
    }

    /// Searches everything within reach.
    pub async fn search(&self, who: &Actor, query: &str) -> Value {
        self.search_with(who, query, &json!({})).await
    }

    pub async fn search_with(&self, who: &Actor, query: &str, more: &Value) -> Value {
        let body = json!({"query": query, "scope": {"organization": true}, "explain": true});
        self.app.post("/v1/memory/search", who, &merged(&body, more)).await.json(200)
    }

    /// The texts that a search within reach gives, best first.
    pub async fn found(&self, who: &Actor, query: &str) -> Vec<String> {
        strings(&self.search(who, query).await["hits"], "text")
    }

    /// Searches until every one of these texts is found by its vector too.
    pub async fn embedded(&self, who: &Actor, texts: &[&str]) {
        for text in texts {
            let look = async || {
                let found = self.search(who, text).await;
                let hit = found["hits"].as_array().unwrap().iter().find(|hit| hit["text"] == *text).cloned();
                hit.is_some_and(|hit| hit["explain"]["cosine"].is_number())
            };
            eventually(&format!("{text:?} has its vector"), look).await;
        }
    }

    /// Posts with an Idempotency-Key, always the same.
    pub async fn post_once(&self, path: &str, who: &Actor, body: &Value) -> Answer {
        let request = self.app.request(Method::POST, path).bearer_auth(self.app.auth.token(who));
        Answer::to(request.header("idempotency-key", "once-please").json(body)).await
    }

    pub async fn delete(&self, path: &str, who: &Actor) -> Answer {
        self.app.send(Method::DELETE, path, Some(&self.app.auth.token(who)), None).await
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::BigInt)]
    rows: i64,
}

/// Asks until it is so.
pub async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let late = Instant::now() + Duration::from_secs(30);
    while !is().await {
        assert!(Instant::now() < late, "in 30 s not: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A field of each item.
pub fn strings(items: &Value, field: &str) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}
