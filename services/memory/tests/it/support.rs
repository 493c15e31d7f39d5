//! What several tests need.

use std::time::Duration;

use memory::Memory;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Actor, Answer, TestApp, TestAppBuilder, providers::FakeProvider};
use tokio::time::{Instant, sleep};

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
            .env("BRAINOPS_VECTORS_COMMIT_INTERVAL_MS", "100");
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

    pub async fn delete(&self, path: &str, who: &Actor) -> Answer {
        self.app.send(Method::DELETE, path, Some(&self.app.auth.token(who)), None).await
    }
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

/// `body` with the members of `more` instead of its own.
pub fn merged(body: &Value, more: &Value) -> Value {
    let mut merged = body.clone();
    for (key, value) in more.as_object().unwrap() {
        merged[key] = value.clone();
    }
    merged
}
