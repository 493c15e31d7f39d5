//! A running service and a client that sees exactly what it answers.

use std::{collections::BTreeMap, env, path::PathBuf, time::Duration};

use inference::Inference;
use kit::{Env, Ports, Started};
use reqwest::{Client, Response};
use serde_json::{Value, json};

pub struct Server {
    pub url: String,
    pub private_url: String,
    pub client: Client,
    pub started: Option<Started>,
}

/// Where the fetched models are.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration; the script looks at the same variables")]
pub fn models() -> PathBuf {
    let var = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
    let folder = var("BRAINOPS_MODELS_DIR").or_else(|| cache().map(|cache| cache.join("brainops/models"))).unwrap();
    for file in ["gemma-3-270m-q4_k_m.gguf", "all-MiniLM-L6-v2/model.safetensors"] {
        assert!(
            folder.join(file).is_file(),
            "{file} is not in {}: run scripts/fetch-models.sh --bundled",
            folder.display()
        );
    }
    folder
}

/// The chat model, with this much room.
pub fn chat(parallel: u32, queue: u32, context: u32) -> Vec<(&'static str, String)> {
    vec![
        ("BRAINOPS_INFERENCE_CHAT_MODEL", models().join("gemma-3-270m-q4_k_m.gguf").display().to_string()),
        ("BRAINOPS_INFERENCE_PARALLEL", parallel.to_string()),
        ("BRAINOPS_INFERENCE_QUEUE", queue.to_string()),
        ("BRAINOPS_INFERENCE_CONTEXT", context.to_string()),
    ]
}

/// The embedding model.
pub fn embedding() -> Vec<(&'static str, String)> {
    vec![("BRAINOPS_INFERENCE_EMBEDDING_MODEL", models().join("all-MiniLM-L6-v2").display().to_string())]
}

impl Server {
    /// Starts it and waits until its models are loaded.
    pub async fn start(settings: Vec<(&'static str, String)>) -> Self {
        let server = Self::begin(settings).await.expect("the service starts");
        server.ready().await;
        server
    }

    /// Starts it.
    pub async fn begin(settings: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let mut values: BTreeMap<String, String> = [
            ("BRAINOPS_HTTP_ADDR", "127.0.0.1:0"),
            ("BRAINOPS_PRIVATE_ADDR", "127.0.0.1:0"),
            ("BRAINOPS_HTTP_WORKERS", "1"),
            ("BRAINOPS_LOG", "error"),
            // Tests run beside each other, and threads that wait for each other's turn on a core wait long.
            ("BRAINOPS_INFERENCE_THREADS", "1"),
            ("BRAINOPS_INFERENCE_EMBEDDING_THREADS", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        values.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let started = kit::start::<Inference>(Env::from_map(values), Ports::real()).await?;
        Ok(Self {
            url: format!("http://{}", started.addr),
            private_url: format!("http://{}", started.private_addr),
            client: client(),
            started: Some(started),
        })
    }

    async fn ready(&self) {
        for _ in 0..600 {
            let answer = self.client.get(format!("{}/readyz", self.private_url)).send().await.unwrap();
            if answer.status() == 200 {
                return;
            }
            // A probe is how everybody learns of readiness; nobody is told.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the models were not loaded in a minute");
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap()
    }

    /// Status and body.
    pub async fn ask(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.post(path, body).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The answer to one question, greedily.
    pub async fn question(&self, messages: Value) -> String {
        let (status, body) =
            self.ask("/v1/chat/completions", &json!({"model": "local-chat", "messages": messages})).await;
        assert_eq!(status, 200, "{body}");
        body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    }

    /// The value of a metric whose line begins so.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.client.get(format!("{}/metrics", self.private_url)).send().await.unwrap().text().await.unwrap();
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_default()
    }
}

/// The events of a stream, without the comments.
pub async fn events(response: Response) -> Vec<String> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
}

#[expect(clippy::disallowed_methods, reason = "a plain client, so that tests see exactly what the service answers")]
fn client() -> Client {
    kit::tls::install();
    Client::builder().build().unwrap()
}
