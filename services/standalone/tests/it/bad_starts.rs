//! What cannot start says why in one message, with a way out, and ends with a failure; no server is left behind.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _};

use crate::support::{Installation, Program};

/// Runs it to its end and returns its last word, which must be its only one.
async fn refusal(mut program: Program) -> String {
    let status = program.ended().await;
    let said = program.stderr();
    assert!(!status.success(), "{said}");
    let messages = said.lines().filter(|line| line.starts_with("brainops: ")).count();
    assert!(messages == 1 && said.starts_with("brainops: "), "one message: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let installation = Installation::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let said = refusal(Program::start(&mut installation.command(&["up", "--http", &addr]))).await;
    assert!(said.contains(&addr) && said.contains("BRAINOPS_HTTP_ADDR"), "{said}");
    assert!(!installation.data().exists(), "nothing was begun");
}

#[tokio::test]
async fn secrets_that_others_can_read_are_refused() {
    let installation = Installation::new();
    let file = installation.data().join("secrets.json");
    fs::create_dir(installation.data()).unwrap();
    fs::write(&file, r#"{"auth.master_key":"hunter2"}"#).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let said = refusal(installation.begin(&[])).await;
    assert!(said.contains("chmod 600") && said.contains("secrets.json"), "{said}");

    fs::write(&file, "hunter2").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let said = refusal(installation.begin(&[])).await;
    assert!(said.contains("is not JSON") && !said.contains("hunter2"), "{said}");
    assert!(!installation.data().join("postgres").exists(), "no server was started");
}

#[tokio::test]
async fn a_wrong_variable_is_named_with_what_is_expected() {
    for (name, value, expected) in [
        ("BRAINOPS_LOG", "info,[", "log filter"),
        ("BRAINOPS_ENVIRONMENT", "prod", "development or production"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url", "URL"),
    ] {
        let installation = Installation::new();
        let said = refusal(installation.begin(&[(name, value)])).await;
        assert!(said.contains(name) && said.contains(expected), "{said}");
        assert!(!installation.data().join("postgres").exists(), "no server was started");
    }
}

#[tokio::test]
async fn a_wrong_address_is_told_by_its_option() {
    let mut program = Program::start(&mut Installation::new().command(&["up", "--http", "localhost"]));
    assert_eq!(program.ended().await.code(), Some(2));
    assert!(program.stderr().contains("--http"), "{}", program.stderr());
}

#[tokio::test]
async fn dotenv_is_read_and_a_mistake_in_it_is_told_without_quoting_it() {
    let installation = Installation::new();
    let folder = installation.data().parent().unwrap().to_owned();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    fs::write(folder.join(".env"), format!("BRAINOPS_HTTP_ADDR={addr}\n")).unwrap();
    let said = refusal(Program::start(&mut installation.command(&["up"]))).await;
    assert!(said.contains(&addr), "{said}");

    fs::write(folder.join(".env"), "BRAINOPS_TOKEN_PEPPER=hunter2 hunter3\n").unwrap();
    let said = refusal(installation.begin(&[])).await;
    assert!(said.contains(".env") && !said.contains("hunter"), "{said}");
}

#[tokio::test]
async fn a_data_directory_that_is_a_file_is_named() {
    let installation = Installation::new();
    fs::write(installation.data(), "").unwrap();
    let said = refusal(installation.begin(&[])).await;
    assert!(said.contains("data directory") && said.contains(installation.data().to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn a_given_server_that_is_not_there_is_told_without_its_password() {
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).unwrap();
    let database = format!("postgres://postgres:hunter2@{gone}/brainops");
    let amqp = format!("amqp://brainops:hunter2@{gone}/%2f");
    for (name, url) in [
        ("DATABASE_URL", database.as_str()),
        ("DATABASE_URL", "hunter2"),
        ("AMQP_URL", amqp.as_str()),
        ("AMQP_URL", "hunter2"),
    ] {
        let said = refusal(Installation::new().begin(&[(name, url)])).await;
        assert!(said.contains(name), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
