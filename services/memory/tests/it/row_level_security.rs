//! The second wall, tried from outside with `psql` as each role.

use contracts::Role;
use serde_json::json;
use testkit::{
    Actor,
    providers::{FakeProvider, Reply},
};

use crate::support::{Stage, eventually};

fn psql(url: &str, who: Option<&Actor>, sql: &str) -> Result<String, String> {
    testkit::psql("memory", url, who, sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_what_is_its_own() {
    let stage = Stage::start().await;
    let (ann, bob) = (Actor::new(Role::Admin), Actor::new(Role::Admin));
    for who in [&ann, &bob] {
        let session = stage.session(who, &json!({})).await;
        stage.say(&session, who, &["Hello there"]).await;
        stage.remember(who, "Likes tea", &json!({})).await;
        let collection = stage.collection(who, "Odds", &json!({})).await;
        stage.indexed_text(who, &collection, "The lamp is red").await;
        stage.embedded(who, &["Hello there", "Likes tea", "The lamp is red"]).await;
    }
    let url = stage.app.db.app_url();
    for (table, own) in [
        ("sessions", 1),
        ("messages", 1),
        ("memories", 1),
        ("memory_history", 1),
        ("collections", 1),
        ("documents", 1),
        ("document_contents", 1),
        ("chunks", 1),
        ("entries", 3),
        ("vectors", 3),
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(psql(&url, None, &sql).as_deref(), Ok("0"), "{table} without a tenant");
        for who in [&ann, &bob] {
            assert_eq!(psql(&url, Some(who), &sql), Ok(own.to_string()), "{table} of an organization");
        }
        assert_eq!(
            psql(&stage.app.db.owner_url(), None, &sql).as_deref(),
            Ok("0"),
            "FORCE binds the owner of {table} too"
        );
        let system = format!("SET ROLE brainops_memory_system; {sql}");
        assert_eq!(psql(&url, None, &system), Ok((2 * own).to_string()), "the system role sees all, and must be named");
    }
    for (attempt, refusal) in [
        (format!("UPDATE entries SET org_id = '{}'", bob.org), "row-level security"),
        ("UPDATE messages SET content = 'x'".to_owned(), "permission denied"),
        ("UPDATE vectors SET revision = 9".to_owned(), "permission denied"),
        ("UPDATE document_contents SET content = 'x'".to_owned(), "permission denied"),
        ("INSERT INTO rebuilds DEFAULT VALUES".to_owned(), "permission denied"),
        ("UPDATE chunks SET text = 'x'".to_owned(), "permission denied"),
        ("UPDATE spaces SET state = 'retired'".to_owned(), "permission denied"),
        ("ALTER TABLE entries DISABLE ROW LEVEL SECURITY".to_owned(), "must be owner"),
    ] {
        let refused = psql(&url, Some(&ann), &attempt).unwrap_err();
        assert!(refused.contains(refusal), "{attempt}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_language_model_is_an_organizations_own() {
    let model = FakeProvider::start().await;
    model.always(Reply::status(503));
    let stage = Stage::with(|app| {
        app.env("BRAINOPS_EXTRACTION_URL", model.openai_url())
            .env("BRAINOPS_EXTRACTION_KEY", FakeProvider::KEY)
            .env("BRAINOPS_EXTRACTION_MODEL", "gpt-5-mini")
    })
    .await;
    let (ann, bob) = (Actor::new(Role::Admin), Actor::new(Role::Admin));
    let url = stage.app.db.app_url();
    for who in [&ann, &bob] {
        let session = stage.session(who, &json!({})).await;
        stage.say(&session, who, &["Hello there"]).await;
        let infer = json!({"infer": true, "text": "Hello there"});
        stage.app.post("/v1/memory/memories", who, &infer).await.json::<serde_json::Value>(202);
    }
    let used = "SET ROLE brainops_memory_system; SELECT count(*) FROM extraction_usage";
    eventually("the model was asked for both", async || psql(&url, None, used).as_deref() == Ok("2")).await;
    for table in ["extraction_jobs", "extractions", "extraction_usage"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(psql(&url, None, &sql).as_deref(), Ok("0"), "{table} without a tenant");
        for who in [&ann, &bob] {
            assert_eq!(psql(&url, Some(who), &sql).as_deref(), Ok("1"), "{table} of an organization");
        }
        let owner = stage.app.db.owner_url();
        assert_eq!(psql(&owner, None, &sql).as_deref(), Ok("0"), "FORCE binds the owner of {table} too");
    }
    let stolen = format!("UPDATE extractions SET org_id = '{}'", bob.org);
    assert!(psql(&url, Some(&ann), &stolen).unwrap_err().contains("row-level security"));
    let wiped = psql(&url, Some(&ann), "DELETE FROM extraction_usage").unwrap_err();
    assert!(wiped.contains("permission denied"), "{wiped}");
}
