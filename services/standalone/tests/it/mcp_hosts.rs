//! The official SDKs for MCP hosts, unmodified, through the gateway with an API key. What they say is decided in tests/mcp.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Installation, Node, Program, System, id, new_email, python};

#[tokio::test]
async fn the_python_sdks_work_unmodified() {
    let one = python("mcp-1", &scripts().join("requirements-1.txt")).await;
    let two = python("mcp-2", &scripts().join("requirements-2.txt")).await;
    let installation = Installation::new();
    let system = installation.up(&[]).await;
    let host = Host::of(&system).await;
    host.run(Command::new(one).arg(scripts().join("python1.py"))).await;
    for [mode, version] in [["auto", "2026-07-28"], ["legacy", "2025-11-25"]] {
        host.run(Command::new(&two).arg(scripts().join("python2.py")).args([mode, version])).await;
    }
    system.stop().await;
}

#[tokio::test]
async fn the_typescript_sdks_work_unmodified() {
    let node = Node::with("mcp", &scripts()).await;
    let installation = Installation::new();
    let system = installation.up(&[]).await;
    let host = Host::of(&system).await;
    host.run(&mut node.script(&scripts().join("node1.mjs"))).await;
    for [mode, version] in [["auto", "2026-07-28"], ["legacy", "2025-11-25"]] {
        host.run(node.script(&scripts().join("node2.mjs")).args([mode, version])).await;
    }
    system.stop().await;
}

/// What an SDK has to know.
struct Host {
    variables: Vec<(&'static str, String)>,
}

impl Host {
    /// Of somebody who has a conversation already.
    async fn of(system: &System) -> Self {
        let registered = system.api.register(&new_email(), "vexing quilt marmalade tundra").await;
        let token = id(&registered, "/access_token");
        let conversation = json!({"title": "Broken lamp"});
        let _: Value = system.api.post("/v1/memory/sessions", Some(token), &conversation).await.json(201);
        let key = async |scopes: &[&str]| {
            let asked = json!({"name": "test", "scopes": scopes});
            let made: Value = system.api.post("/v1/auth/api-keys", Some(token), &asked).await.json(201);
            id(&made, "/key").to_owned()
        };
        let variables = vec![
            ("MCP_URL", format!("http://{}/mcp", system.api.addr)),
            ("API_KEY", key(&["memory:read", "memory:write"]).await),
            ("READING_KEY", key(&["memory:read"]).await),
        ];
        Self { variables }
    }

    async fn run(&self, command: &mut Command) {
        let mut program =
            Program::start(command.envs(self.variables.iter().map(|(name, value)| (*name, value.as_str()))));
        let status = program.ended().await;
        assert!(status.success(), "{command:?}\n{}\n{}", program.stdout(), program.stderr());
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp")
}
