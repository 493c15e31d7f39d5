//! The official Python SDKs of OpenAI and Anthropic, unmodified, through the gateway with an API key. What they say is
//! decided in tests/sdk; here are the provider behind the gateway and what it does.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use testkit::providers::{FakeProvider, Reply};
use tokio::process::Command;

use crate::support::{Installation, Program, System, eventually, id, new_email, python};

const CHAT: &str = "chat";
const EMBEDDING: &str = "vectors";

#[tokio::test]
async fn the_official_sdks_work_unmodified() {
    let python = python("sdks", &scripts().join("requirements.txt")).await;
    let provider = FakeProvider::start().await;
    let installation = Installation::new();
    // Only an operator may hand out models of the environment's provider, and an operator is made by configuration.
    let (email, organization) = register(&installation).await;
    let url = provider.openai_url();
    let system = installation
        .up(&[
            ("OPENAI_BASE_URL", &url),
            ("OPENAI_API_KEY", FakeProvider::KEY),
            ("BRAINOPS_AI_ATTEMPTS", "1"),
            ("BRAINOPS_OPERATOR_ORGANIZATION", &organization),
        ])
        .await;
    let sdks = Sdks::prepare(python, &system, &email).await;

    sdks.run("openai", &["chat", "stream", "vision", "embeddings", "models", "responses", "stream_responses"]).await;
    sdks.run("anthropic", &["chat", "stream", "count_tokens", "models"]).await;
    for (sdk, scenario) in [("openai", "stream_tools"), ("anthropic", "stream_tools")] {
        provider.next(Reply::tools([("get_weather", json!({"city": "Oslo"}))]));
        sdks.run(sdk, &[scenario]).await;
    }
    for sdk in ["openai", "anthropic"] {
        provider.next(Reply::tools([("get_weather", json!({"city": "Oslo"}))]));
        provider.next(Reply::text("It is 21 degrees in Oslo."));
        sdks.run(sdk, &["tools"]).await;
    }
    provider.next(Reply::json(&json!({"city": "Oslo"})));
    sdks.run("openai", &["json_schema"]).await;
    told_in_one_conversation_known_in_another(&sdks, &provider).await;
    provider.assert_clean();

    sdks.run("openai", &["errors"]).await;
    sdks.run("anthropic", &["errors", "too_large"]).await;
    for sdk in ["openai", "anthropic"] {
        provider.next(Reply::status(500));
        sdks.run(sdk, &["server_error"]).await;
        provider.next(Reply::text("one two three four").cut_after(2));
        sdks.run(sdk, &["cut"]).await;
    }
    provider.next(Reply::text("late").after(Duration::from_secs(5)));
    sdks.run("openai", &["timeout"]).await;
    sdks.forbid_everything().await;
    sdks.run("openai", &["rate_limit"]).await;
    sdks.run("anthropic", &["rate_limit"]).await;
    system.stop().await;
}

const PASSWORD: &str = "vexing quilt marmalade tundra";

/// With nothing but a header of its own the SDK's calls remember and recall.
async fn told_in_one_conversation_known_in_another(sdks: &Sdks<'_>, provider: &FakeProvider) {
    sdks.run("openai", &["tell"]).await;
    let said = provider.last_request().body["messages"][0]["content"].clone();
    assert_eq!(said, "My sister Ines lives in Lisbon.", "nothing to recall");
    eventually("the turn is found", async || {
        let query = json!({"query": "sister", "scope": {"user": "me"}});
        let found: Value = sdks.system.api.post("/v1/memory/search", Some(&sdks.token), &query).await.json(200);
        found["hits"].as_array().filter(|hits| !hits.is_empty()).map(drop)
    })
    .await;
    sdks.run("openai", &["ask"]).await;
    let asked = provider.last_request().body["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
    assert!(asked.contains("My sister Ines lives in Lisbon."), "{asked}");
    assert!(asked.ends_with("In which city does my sister live?"), "{asked}");
}

/// Somebody's address, and their organization.
async fn register(installation: &Installation) -> (String, String) {
    let system = installation.up(&[]).await;
    let email = new_email();
    let registered = system.api.register(&email, PASSWORD).await;
    system.stop().await;
    (email, id(&registered, "/organization/id").to_owned())
}

struct Sdks<'a> {
    python: PathBuf,
    system: &'a System,
    token: String,
    /// The id of the provider of the environment.
    provider: String,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Sdks<'a> {
    /// A person with models, a key for calling them, and one for administration.
    async fn prepare(python: PathBuf, system: &'a System, email: &str) -> Self {
        let credentials = json!({"email": email, "password": PASSWORD});
        let answer: Value = system.api.post("/v1/auth/login", None, &credentials).await.json(200);
        let token = id(&answer, "/access_token").to_owned();
        let url = format!("http://{}", system.api.addr);
        let providers: Value = system.api.get("/v1/ai/providers", &token).await.json(200);
        let provider = providers["items"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "openai"));
        let provider = id(provider.expect("the provider of the environment"), "/id").to_owned();
        let mut sdks = Self { python, system, token, provider, variables: Vec::new() };
        let chat = json!(["chat", "streaming", "tools", "parallel_tool_calls", "vision", "json_object", "json_schema"]);
        sdks.create(&sdks.model(CHAT, "gpt-fake", &chat)).await;
        sdks.create(&sdks.model(EMBEDDING, "text-embedding-fake", &json!(["embeddings"]))).await;
        let mut forbidden = sdks.model("forbidden", "gpt-fake", &chat);
        forbidden["access"] = json!({"users": ["01890a5d-ac96-774b-bcce-b302099a8057"]});
        sdks.create(&forbidden).await;
        let new_model = sdks.model("new", "gpt-fake", &chat).to_string();
        sdks.variables = vec![
            ("BASE_URL", format!("{url}/v1")),
            ("GATEWAY_URL", url),
            ("API_KEY", sdks.key(&["ai:invoke", "ai:read", "memory:read", "memory:write"]).await),
            ("ADMIN_KEY", sdks.key(&["ai:write", "ai:read"]).await),
            ("CHAT_MODEL", CHAT.to_owned()),
            ("EMBEDDING_MODEL", EMBEDDING.to_owned()),
            ("FORBIDDEN_MODEL", "forbidden".to_owned()),
            ("NEW_MODEL", new_model),
        ];
        sdks
    }

    /// A model of the installation whose calls go to the provider of the environment.
    fn model(&self, alias: &str, upstream: &str, capabilities: &Value) -> Value {
        json!({
            "alias": alias,
            "context_window": 128_000,
            "capabilities": capabilities,
            "prices": {"input": 150, "output": 600},
            "routes": [{"provider_id": self.provider, "model": upstream}],
            "scope": "global",
        })
    }

    async fn create(&self, model: &Value) {
        let _: Value = self.system.api.post("/v1/ai/models", Some(&self.token), model).await.json(201);
    }

    async fn key(&self, scopes: &[&str]) -> String {
        let asked = json!({"name": "test", "scopes": scopes});
        let made: Value = self.system.api.post("/v1/auth/api-keys", Some(&self.token), &asked).await.json(201);
        id(&made, "/key").to_owned()
    }

    /// From now on no call is within the quota.
    async fn forbid_everything(&self) {
        let quota = json!({"subject": "organization", "window": "month", "metric": "requests", "limit": 0});
        let _: Value = self.system.api.post("/v1/ai/quotas", Some(&self.token), &quota).await.json(201);
    }

    async fn run(&self, sdk: &str, scenarios: &[&str]) {
        let mut command = Command::new(&self.python);
        command.arg(scripts().join(format!("{sdk}_sdk.py"))).args(scenarios);
        let variables = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let mut program = Program::start(command.envs(variables));
        let status = program.ended().await;
        assert!(status.success(), "{sdk} {scenarios:?}\n{}\n{}", program.stdout(), program.stderr());
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}
