//! mem0's own Python client, unmodified, through the gateway with an API key. What it says is decided in tests/mem0.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Installation, Program, id, new_email, python};

#[tokio::test]
async fn mem0s_client_moves_over_by_host_and_key() {
    let python = python("mem0", &scripts().join("requirements.txt")).await;
    let (installation, home) = (Installation::new(), tempfile::tempdir().unwrap());
    let system = installation.up(&[]).await;
    let registered = system.api.register(&new_email(), "vexing quilt marmalade tundra").await;
    let token = id(&registered, "/access_token");
    let key = async |scopes: &[&str]| {
        let asked = json!({"name": "test", "scopes": scopes});
        let made: Value = system.api.post("/v1/auth/api-keys", Some(token), &asked).await.json(201);
        id(&made, "/key").to_owned()
    };
    let mut command = Command::new(python);
    command
        .arg(scripts().join("client.py"))
        .env("MEM0_HOST", format!("http://{}/v1/memory/compat/mem0", system.api.addr))
        .env("API_KEY", key(&["memory:read", "memory:write"]).await)
        .env("READING_KEY", key(&["memory:read"]).await)
        // It reports what it is used for to its makers, and keeps a file at home.
        .env("MEM0_TELEMETRY", "False")
        .env("MEM0_DIR", home.path());
    let mut client = Program::start(&mut command);
    let status = client.ended().await;
    assert!(status.success(), "{}\n{}", client.stdout(), client.stderr());
    system.stop().await;
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mem0")
}
