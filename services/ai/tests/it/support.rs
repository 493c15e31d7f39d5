//! What several tests need.

use ai::Ai;
use contracts::Role;
use db::diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use reqwest::Method;
use serde_json::{Value, json};
pub use testkit::merged;
use testkit::{Actor, Answer, TestApp, TestAppBuilder, providers::FakeProvider};

/// The service with somebody who operates it.
pub struct Stage {
    pub app: TestApp<Ai>,
    /// An admin of the organization that operates the installation.
    pub operator: Actor,
}

impl Stage {
    /// With nothing in its environment.
    pub async fn start() -> Self {
        Self::with(|app| app).await
    }

    /// With something more in its environment.
    pub async fn with(more: impl FnOnce(TestAppBuilder<Ai>) -> TestAppBuilder<Ai>) -> Self {
        let operator = Actor::new(Role::Admin);
        let app = TestApp::<Ai>::builder().env("BRAINOPS_OPERATOR_ORGANIZATION", operator.org.to_string());
        Self { app: more(app).start().await, operator }
    }

    /// Makes a provider; gives its id.
    pub async fn provider(&self, who: &Actor, more: &Value) -> String {
        let body = merged(&json!({"name": "own", "kind": "openai", "key": KEY}), more);
        let made: Value = self.app.post("/v1/ai/providers", who, &body).await.json(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// A provider of the whole installation that leads to the fake one; gives its id.
    pub async fn faked(&self, fake: &FakeProvider) -> String {
        let more = json!({"name": "fake", "base_url": fake.openai_url(), "key": FakeProvider::KEY, "scope": "global"});
        self.provider(&self.operator, &more).await
    }

    /// The names that `/v1/models` lists for somebody.
    pub async fn usable(&self, who: &Actor) -> Vec<String> {
        let list: Value = self.app.get("/v1/models", who).await.json(200);
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Says hello to a model.
    pub async fn chat(&self, who: &Actor, model: &str) -> Answer {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
        self.app.post("/v1/chat/completions", who, &body).await
    }

    /// Sends with an `If-Match` or another header.
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        who: &Actor,
        (header, value): (&str, &str),
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.app.request(method, path).bearer_auth(self.app.auth.token(who)).header(header, value);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::to(request).await
    }

    pub async fn delete(&self, path: &str, who: &Actor) -> Answer {
        self.app.send(Method::DELETE, path, Some(&self.app.auth.token(who)), None).await
    }
}

/// A key that must never be seen again.
pub const KEY: &str = "sk-planted-5f2c9b7e1a4d8036-WXYZ";

/// A model that breaks no rule, with a route to the provider.
pub fn model(alias: &str, provider: &str) -> Value {
    json!({
        "alias": alias, "context_window": 8192, "max_output_tokens": 1024, "capabilities": ["chat", "streaming"],
        "prices": {"input": 250, "output": 2000}, "routes": [{"provider_id": provider, "model": "gpt-5-mini"}],
    })
}

/// Closes the test's database to everybody, or opens it again.
pub async fn set_database_open(stage: &Stage, open: bool) {
    let url: reqwest::Url = stage.app.db.admin_url().parse().unwrap();
    let name = url.path().trim_start_matches('/').to_owned();
    let sql = format!(
        "ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {open}; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND NOT {open}"
    );
    let work = move || PgConnection::establish(&testkit::infra().database_url).unwrap().batch_execute(&sql).unwrap();
    tokio::task::spawn_blocking(work).await.unwrap();
}
