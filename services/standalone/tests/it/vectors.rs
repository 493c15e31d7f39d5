//! `brainops vectors rebuild` on a system that embeds.

use serde_json::{Value, json};
use testkit::providers::FakeProvider;

use crate::support::{Installation, Program, eventually, id, new_email};

#[tokio::test]
async fn the_index_of_a_running_system_is_made_again() {
    let (installation, embeddings) = (Installation::new(), FakeProvider::start().await);
    let url = embeddings.openai_url();
    let variables = [
        ("BRAINOPS_LOCAL_MODELS", "never"),
        ("BRAINOPS_EMBEDDINGS_URL", url.as_str()),
        ("BRAINOPS_EMBEDDINGS_KEY", FakeProvider::KEY),
        ("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-small"),
    ];
    let system = installation.up(&variables).await;
    let ada = system.api.register(&new_email(), "vexing quilt marmalade tundra").await;
    let token = id(&ada, "/access_token");
    let text = "Lives in Lisbon";
    let made = system.api.post("/v1/memory/memories", Some(token), &json!({ "text": text })).await;
    made.json::<Value>(201);
    let cosine = async || {
        let question = json!({"query": text, "scope": {"organization": true}, "explain": true});
        let found: Value = system.api.post("/v1/memory/search", Some(token), &question).await.json(200);
        found["hits"][0]["explain"]["cosine"].as_f64()
    };
    let before = eventually("its vector", cosine).await;

    let mut rebuild = Program::start(&mut installation.command(&["vectors", "rebuild", "--wait"]));
    let status = rebuild.ended().await;
    let said = rebuild.stdout();
    assert!(status.success(), "{said}\n{}", rebuild.stderr());
    assert!(said.contains("is asked for.") && said.ends_with("Done: 1 vectors; the new index answers."), "{said}");
    assert_eq!(cosine().await, Some(before));
    system.stop().await;
}
