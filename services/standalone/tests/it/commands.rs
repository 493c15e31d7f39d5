//! The tools, used on a running system.

use reqwest::Method;
use serde_json::Value;
use testkit::Answer;

use crate::support::{Installation, Program, System, brainops, eventually};

pub async fn try_all(installation: &Installation, system: &System) {
    doctor(installation, system).await;
    dead_letters(installation).await;
    address_of_the_broker(installation).await;
    vectors(installation).await;
    openapi(system).await;
    metrics(system).await;
}

async fn doctor(installation: &Installation, system: &System) {
    let http = system.api.addr.to_string();
    let mut doctor = Program::start(&mut installation.command(&["doctor", "--http", &http]));
    let status = doctor.ended().await;
    let said = doctor.stdout();
    assert!(status.success(), "{said}");
    for finding in
        ["schema auth is up to date", "schema ai is up to date", "RabbitMQ answers", "Nothing is in the way."]
    {
        assert!(said.contains(finding), "{finding}: {said}");
    }
    assert!(!said.contains("BAD"), "{said}");
}

async fn dead_letters(installation: &Installation) {
    let mut list = Program::start(&mut installation.command(&["dlq", "list"]));
    assert!(list.ended().await.success(), "{}", list.stderr());
    let said = list.stdout();
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [["0", auth::events::USERS_QUEUE], ["0", users::AUTH_QUEUE], ["0", ai::USERS_QUEUE]], "{said}");
}

async fn address_of_the_broker(installation: &Installation) {
    let mut url = Program::start(&mut installation.command(&["events", "url"]));
    assert!(url.ended().await.success(), "{}", url.stderr());
    assert!(url.stdout().starts_with("amqp://"));
}

/// Nothing embeds here, so nobody keeps an index: whoever waits is told.
async fn vectors(installation: &Installation) {
    let mut asked = Program::start(&mut installation.command(&["vectors", "rebuild"]));
    assert!(asked.ended().await.success(), "{}", asked.stderr());
    assert_eq!(asked.stdout(), "Rebuild 1 is asked for.");
    let mut waiting = Program::start(&mut installation.command(&["vectors", "rebuild", "--wait", "--patience", "1"]));
    assert_eq!(waiting.ended().await.code(), Some(1));
    assert!(waiting.stderr().contains("nobody has taken rebuild 1 up"), "{}", waiting.stderr());
}

/// What is printed without a system is what the gateway serves.
async fn openapi(system: &System) {
    let mut printed = Program::start(brainops().arg("openapi"));
    assert!(printed.ended().await.success(), "{}", printed.stderr());
    let printed: Value = serde_json::from_str(&printed.stdout()).unwrap();
    let served: Value = eventually("both services' parts", async || {
        let served: Value = Answer::to(system.api.request(Method::GET, "/openapi.json")).await.json(200);
        (served["paths"].as_object()?.len() >= printed["paths"].as_object()?.len()).then_some(served)
    })
    .await;
    assert_eq!(served["paths"], printed["paths"]);
    assert_eq!(served["components"], printed["components"]);
    let paths = served["paths"].as_object().unwrap();
    assert!(paths.contains_key("/v1/auth/login") && paths.contains_key("/v1/users/me"));
    assert!(!paths.keys().any(|path| path.starts_with("/internal")));
}

/// What the system measures by now is explained to whoever carries the pager.
async fn metrics(system: &System) {
    let private = system.api.through(system.ports_of("gateway").1);
    let metrics = Answer::to(private.request(Method::GET, "/metrics")).await.text();
    let page = include_str!("../../../../docs/operations.md");
    let names = metrics.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
    let ours: Vec<_> = names.filter(|name| !name.starts_with("process_")).collect();
    assert!(ours.len() > 20, "{ours:?}");
    let unexplained: Vec<_> = ours.iter().filter(|name| !page.contains(&format!("`{name}"))).collect();
    assert!(unexplained.is_empty(), "docs/operations.md does not explain {unexplained:?}");
}
