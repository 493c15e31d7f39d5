//! `kill -9`: no server stays behind, no acknowledged write is lost, and every memory is found.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::{Value, json};
use testkit::providers::{FakeProvider, Reply, Seen};

use crate::support::{Api, Installation, Program, System, eventually, id, new_email};

#[tokio::test]
async fn after_kill_9_nothing_runs_and_nothing_is_lost() {
    let installation = Installation::new();
    let system = installation.up(&[]).await;
    let (email, password) = (new_email(), "vexing quilt marmalade tundra");
    let registered = system.api.register(&email, password).await;
    let asked = json!({"name": "Analytical Engines"});
    let token = id(&registered, "/access_token");
    let created: Value = system.api.post("/v1/organizations", Some(token), &asked).await.json(201);

    // The same data are nobody else's meanwhile.
    let elsewhere = ["up", "--http", "127.0.0.1:0"];
    let mut second = Program::start(&mut installation.command(&elsewhere));
    assert!(!second.ended().await.success());
    assert!(second.stderr().contains("in use by another process"), "{}", second.stderr());

    let marks = marks(&installation.data());
    assert!(running(&marks).len() >= 3, "PostgreSQL, RabbitMQ and epmd: {:?}", running(&marks));
    kill(&installation, system).await;

    let system = installation.up(&[]).await;
    let credentials = json!({"email": email, "password": password});
    let answer: Value = system.api.post("/v1/auth/login", None, &credentials).await.json(200);
    let token = id(&answer, "/access_token");
    let organization = format!("/v1/organizations/{}", id(&created, "/id"));
    let found: Value = system.api.get(&organization, token).await.json(200);
    assert_eq!(found["name"], "Analytical Engines");
    // The token of before is as good as it was: the keys are the same.
    assert_eq!(system.api.get("/v1/users/me", id(&registered, "/access_token")).await.status, 200);

    system.stop().await;
    assert!(running(&marks).is_empty(), "{:?}", running(&marks));
}

/// Killed before a text has its vector, before the index is durable, and while another model takes over.
#[tokio::test]
async fn after_kill_9_every_memory_is_found_and_none_twice() {
    let (installation, embeddings) = (Installation::new(), FakeProvider::start().await);
    let url = embeddings.openai_url();
    let with = |model| {
        [
            ("BRAINOPS_LOCAL_MODELS", "never"),
            ("BRAINOPS_EMBEDDINGS_URL", url.as_str()),
            ("BRAINOPS_EMBEDDINGS_KEY", FakeProvider::KEY),
            ("BRAINOPS_EMBEDDINGS_MODEL", model),
            ("BRAINOPS_VECTORS_COMMIT_INTERVAL_MS", "3600000"),
        ]
    };
    let (small, large) = ("text-embedding-3-small", "text-embedding-3-large");
    // Killed before that, whoever has a text in hand keeps it for two minutes.
    let failed = |line: &str| line.contains("Texts cannot be embedded");
    let mut system = installation.up(&with(small)).await;
    let ada = system.api.register(&new_email(), "vexing quilt marmalade tundra").await;
    let token = id(&ada, "/access_token");
    let mut texts: BTreeSet<String> = (0..99).map(|number| format!("Fact number {number}")).collect();
    let memories: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).collect();
    let stored = json!({ "memories": memories });
    system.api.post("/v1/memory/memories/bulk", Some(token), &stored).await.json::<Value>(201);
    eventually("every memory is found", async || found(&system.api, token, &texts).await).await;

    embeddings.always(Reply::status(503));
    system.api.post("/v1/memory/memories", Some(token), &json!({"text": "Fact of the dog"})).await.json::<Value>(201);
    texts.insert("Fact of the dog".to_owned());
    system.program.wait_err("failure to embed", failed).await;
    kill(&installation, system).await;
    embeddings.always(Reply::echo());
    let system = installation.up(&with(small)).await;
    eventually("every memory is found again", async || found(&system.api, token, &texts).await).await;
    system.stop().await;

    // The other model becomes known, some texts get its vectors, and then there are no more.
    embeddings.always(Reply::status(503));
    embeddings.next(Reply::echo());
    embeddings.next(Reply::echo());
    let mut system = installation.up(&with(large)).await;
    system.program.wait_err("failure to embed", failed).await;
    kill(&installation, system).await;
    embeddings.always(Reply::echo());
    let system = installation.up(&with(large)).await;
    eventually("the other model takes over", async || {
        let asked = format!("Which fact is number {}?", embeddings.requests().len());
        let question = json!({"query": asked, "scope": {"organization": true}});
        system.api.post("/v1/memory/search", Some(token), &question).await.json::<Value>(200);
        let of_this = |seen: &Seen| seen.body["model"] == large && seen.body["input"].to_string().contains(&asked);
        embeddings.requests().iter().any(of_this).then_some(())
    })
    .await;
    eventually("every memory is found with it", async || found(&system.api, token, &texts).await).await;
    system.stop().await;
}

/// Whether a search finds each of these texts once, and by its vector.
async fn found(api: &Api, token: &str, texts: &BTreeSet<String>) -> Option<()> {
    let question = json!({"query": "Fact", "scope": {"organization": true}, "top_k": 100, "explain": true});
    let answer: Value = api.post("/v1/memory/search", Some(token), &question).await.json(200);
    let hits = answer["hits"].as_array().unwrap();
    let by_vector: Vec<_> = hits.iter().filter(|hit| hit["explain"]["cosine"].is_f64()).collect();
    let distinct: BTreeSet<_> = by_vector.iter().map(|hit| id(hit, "/text").to_owned()).collect();
    assert!(distinct.len() == by_vector.len(), "something is found twice: {answer:#}");
    (distinct == *texts).then_some(())
}

async fn kill(installation: &Installation, mut system: System) {
    let marks = marks(&installation.data());
    system.program.kill().await;
    drop(system);
    eventually("the end of all servers", async || running(&marks).is_empty().then_some(())).await;
}

/// What only the command lines of this installation's servers have in them: its folder, the broker's name, epmd's port.
fn marks(data: &Path) -> Vec<String> {
    let read = |server: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(data.join(server).join("settings.json")).unwrap()).unwrap()
    };
    let (postgres, rabbit) = (read("postgres"), read("rabbitmq"));
    vec![
        data.display().to_string(),
        id(&postgres, "/token").to_owned(),
        id(&rabbit, "/token").to_owned(),
        format!("-port {} -address", rabbit["ports"][2]),
    ]
}

/// The processes whose command line has one of the marks.
fn running(marks: &[String]) -> Vec<String> {
    let listed = Command::new("ps").args(["-axww", "-o", "pid=,stat=,args="]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let ours = |line: &&str| marks.iter().any(|mark| line.contains(mark.as_str())) && !line.contains("brainops up");
    listed.lines().filter(ours).map(str::to_owned).collect()
}
