//! Reading documents is interrupted, and nothing is lost or half done.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use contracts::Role;
use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{EXTRACTOR, Stage, eventually};

/// A reader that never answers.
fn stuck(directory: &Path) -> String {
    let path = directory.join("stuck.sh");
    fs::write(&path, "#!/bin/sh\nexec sleep 600\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Leases and pauses are over.
async fn later(stage: &Stage) {
    let sql = "UPDATE memory.documents SET not_before = now()";
    stage.app.db.admin(move |conn| sql_query(sql).execute(conn).unwrap()).await;
}

async fn status(stage: &Stage, who: &Actor, path: &str) -> Value {
    stage.app.get(path, who).await.json::<Value>(200)["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_over_a_document_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let reader = stuck(directory.path());
    let mut stage = Stage::with(|app| app.env("BRAINOPS_MEMORY_EXTRACTOR", &reader)).await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let answer = stage.upload(&ada, &collection, "a.txt", b"The lamp is red", &json!({})).await;
    answer.json::<Value>(202);
    let path = answer.header("location").unwrap().to_owned();
    eventually("it is being read", async || status(&stage, &ada, &path).await == "indexing").await;
    stage.app.restart(&[("BRAINOPS_MEMORY_EXTRACTOR", EXTRACTOR)]).await;
    assert_eq!(stage.found(&ada, "lamp").await, [""; 0]);
    assert_eq!(stage.rows_of_documents().await, [1, 1, 0, 0, 0]);
    later(&stage).await;
    assert_eq!(stage.indexed(&ada, &path).await["status"], "indexed");
    assert_eq!(stage.found(&ada, "lamp").await, ["The lamp is red"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn until_it_is_read_again_a_document_is_found_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let reader = stuck(directory.path());
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let path = stage.indexed_text(&ada, &collection, "The lamp is red").await;
    let chunk = |found: &Value| found["hits"][0]["id"].clone();
    let first = chunk(&stage.search(&ada, "lamp").await);
    stage.app.restart(&[("BRAINOPS_MEMORY_EXTRACTOR", &reader)]).await;
    stage.app.post(&format!("{path}/reindex"), &ada, &json!({})).await.json::<Value>(202);
    eventually("it is being read", async || status(&stage, &ada, &path).await == "indexing").await;
    assert_eq!(chunk(&stage.search(&ada, "lamp").await), first);
    // Once more while it is being read: only the last one counts.
    stage.app.post(&format!("{path}/reindex"), &ada, &json!({})).await.json::<Value>(202);
    stage.app.restart(&[("BRAINOPS_MEMORY_EXTRACTOR", EXTRACTOR)]).await;
    later(&stage).await;
    let document = stage.indexed(&ada, &path).await;
    assert_eq!((&document["status"], &document["revision"]), (&json!("indexed"), &json!(3)));
    assert_eq!(stage.found(&ada, "lamp").await, ["The lamp is red"]);
    assert_ne!(chunk(&stage.search(&ada, "lamp").await), first, "made anew");
    assert_eq!(stage.rows_of_documents().await[..4], [1, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_forgotten_while_it_is_read_stays_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slow.sh");
    fs::write(&path, format!("#!/bin/sh\nsleep 1\nexec {EXTRACTOR} \"$@\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let stage = Stage::with(|app| app.env("BRAINOPS_MEMORY_EXTRACTOR", path.to_str().unwrap())).await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let answer = stage.upload(&ada, &collection, "a.txt", b"The lamp is red", &json!({})).await;
    let path = answer.header("location").unwrap().to_owned();
    eventually("it is being read", async || status(&stage, &ada, &path).await == "indexing").await;
    assert_eq!(stage.delete(&path, &ada).await.status, 204);
    // Two readers work on what comes after it, so it is through.
    for n in 0..4 {
        stage.indexed_text(&ada, &collection, &format!("Shelf {n}")).await;
    }
    assert!(!stage.found(&ada, "lamp").await.contains(&"The lamp is red".to_owned()));
    assert_eq!(stage.rows_of_documents().await[..4], [4, 4, 4, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_broken_is_tried_again_and_in_the_end_given_up() {
    let mut stage = Stage::with(|app| app.env("BRAINOPS_MEMORY_EXTRACTOR", "/bin/false")).await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let answer = stage.upload(&ada, &collection, "a.txt", b"The lamp is red", &json!({})).await;
    let path = answer.header("location").unwrap().to_owned();
    for attempt in 1..=5 {
        eventually(&format!("attempt {attempt} is over"), async || {
            attempts(&stage).await == attempt && status(&stage, &ada, &path).await == "pending"
        })
        .await;
        later(&stage).await;
    }
    let document = stage.indexed(&ada, &path).await;
    assert_eq!((&document["status"], &document["error"]), (&json!("failed"), &json!("internal")));
    stage.app.restart(&[("BRAINOPS_MEMORY_EXTRACTOR", EXTRACTOR)]).await;
    stage.app.post(&format!("{path}/reindex"), &ada, &json!({})).await.json::<Value>(202);
    assert_eq!(stage.indexed(&ada, &path).await["status"], "indexed");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_is_read_once_however_many_read() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let mut paths = Vec::new();
    for n in 0..12 {
        let text = format!("The lamp on shelf {n}");
        let answer = stage.upload(&ada, &collection, "a.txt", text.as_bytes(), &json!({})).await;
        paths.push(answer.header("location").unwrap().to_owned());
    }
    for path in &paths {
        assert_eq!(stage.indexed(&ada, path).await["version"], 3, "uploaded, begun, indexed");
    }
    assert_eq!(attempts(&stage).await, 1);
    assert_eq!(stage.rows_of_documents().await[..4], [12; 4]);
}

async fn attempts(stage: &Stage) -> i32 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        attempts: i32,
    }
    let sql = "SELECT max(attempts) AS attempts FROM memory.documents";
    stage.app.db.admin(move |conn| sql_query(sql).get_result::<Row>(conn).unwrap().attempts).await
}
