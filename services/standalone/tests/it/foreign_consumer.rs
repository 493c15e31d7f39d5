//! A consumer that shares nothing with us but docs/events.md.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::{Installation, Program, id, new_email, python};

#[tokio::test]
async fn a_python_consumer_reads_our_events() {
    let python = python("consumer", &example().join("requirements.txt")).await;
    let installation = Installation::new();
    let system = installation.up(&[]).await;
    let mut url = Program::start(&mut installation.command(&["events", "url"]));
    assert!(url.ended().await.success(), "{}", url.stderr());
    let url = url.stdout();

    let mut consumer = consume(&python, &url, &["auth.#", "users.organization_created.v1"]);
    consumer.wait_err("word that it waits", |line| line.starts_with("waiting for")).await;
    let registered = system.api.register(&new_email(), "vexing quilt marmalade tundra").await;
    let (user, org) = (id(&registered, "/user/id"), id(&registered, "/organization/id"));
    for (kind, id) in [("auth.user_registered.v1", user), ("users.organization_created.v1", org)] {
        let line = consumer.wait_out(kind, |line| line.contains(&format!(" {kind} {id} "))).await;
        assert!(line.contains(user) && line.contains(org), "{line}");
    }
    assert!(!consumer.stdout().contains("membership_added"), "it is not bound to that");
    consumer.terminate().await;
    assert!(consumer.ended().await.success(), "{}", consumer.stderr());

    // Its queue waits for it: what happens while it is away it reads when it is back, and what it had it has.
    let later = system.api.register(&new_email(), "vexing quilt marmalade tundra").await;
    let mut consumer = consume(&python, &url, &["auth.#"]);
    consumer.wait_out("what it has missed", |line| line.contains(id(&later, "/user/id"))).await;
    assert!(!consumer.stdout().contains(user), "it acknowledged that before:\n{}", consumer.stdout());
    consumer.terminate().await;
    assert!(consumer.ended().await.success(), "{}", consumer.stderr());

    let mut delete = consume(&python, &url, &["--delete"]);
    assert!(delete.ended().await.success(), "{}", delete.stderr());
    system.stop().await;
}

fn consume(python: &Path, url: &str, arguments: &[&str]) -> Program {
    let script = example().join("consume.py");
    Program::start(Command::new(python).arg(script).args(["--url", url]).args(arguments))
}

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/consumers/python")
}
