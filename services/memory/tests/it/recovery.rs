//! The index is lost, damaged or of another model, and everything is found again.

use contracts::Role;
use db::diesel::{QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query, sql_types};
use memory::Memory;
use serde_json::json;
use testkit::{
    Actor, TestApp,
    providers::{Gate, Reply},
};

use crate::support::{Stage, eventually, strings};

/// Stops the service and starts it again over the same database and directory.
async fn restart(stage: &mut Stage, more: &[(&str, &str)]) {
    stage.app.restart(more).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everything_is_found_by_its_vector() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Lives in Lisbon", &json!({})).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    restart(&mut stage, &[]).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    stage.remember(&ada, "Has a dog", &json!({})).await;
    stage.embedded(&ada, &["Has a dog"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_index_is_made_again() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Lives in Lisbon", &json!({})).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    stage.app.stop().await;
    for entry in std::fs::read_dir(stage.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    restart(&mut stage, &[]).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    assert_eq!(stage.found(&ada, "Lives in Lisbon").await, ["Lives in Lisbon"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_takes_over_when_everything_is_embedded_with_it() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    for n in 0..20 {
        stage.remember(&ada, &format!("Fact number {n}"), &json!({})).await;
    }
    stage.embedded(&ada, &["Fact number 7"]).await;
    restart(&mut stage, &[("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-large")]).await;
    let models = |stage: &Stage| -> Vec<String> {
        let requests = stage.embeddings.requests();
        requests.iter().filter_map(|seen| seen.body["model"].as_str().map(str::to_owned)).collect()
    };
    // Searches go on all the while, first with the model that was there.
    eventually("the other model takes over", async || {
        assert_eq!(stage.found(&ada, "Fact number 7").await[0], "Fact number 7");
        models(&stage).last().map(String::as_str) == Some("text-embedding-3-large")
            && active(&stage.app).await == "text-embedding-3-large"
    })
    .await;
    for n in 0..20 {
        stage.embedded(&ada, &[&format!("Fact number {n}")]).await;
    }
    // And back again, for which nothing has to be embedded.
    restart(&mut stage, &[("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-small")]).await;
    eventually("the first model is back", async || active(&stage.app).await == "text-embedding-3-small").await;
    stage.embedded(&ada, &["Fact number 7"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_no_longer_wanted_is_given_up() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Lives in Lisbon", &json!({})).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    // It becomes known, and then there are no vectors of it.
    stage.embeddings.always(Reply::status(503));
    stage.embeddings.next(Reply::echo());
    restart(&mut stage, &[("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-large")]).await;
    let in_state = async |stage: &Stage, state: &str| {
        stage.count(&format!("FROM memory.spaces WHERE model LIKE '%large' AND state = '{state}'")).await
    };
    eventually("it is being prepared", async || in_state(&stage, "building").await == 1).await;
    stage.embeddings.always(Reply::echo());
    restart(&mut stage, &[("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-small")]).await;
    eventually("it is given up", async || in_state(&stage, "retired").await == 1).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    assert_eq!(active(&stage.app).await, "text-embedding-3-small");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_length_of_the_vectors_of_a_model_makes_it_another_model() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Lives in Lisbon", &json!({})).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    let spaces = async |stage: &Stage, dimension: usize, state: &str| {
        stage.count(&format!("FROM memory.spaces WHERE dimension = {dimension} AND state = '{state}'")).await
    };
    assert_eq!(spaces(&stage, 8, "active").await, 1);

    // While it runs: whoever stores or asks next finds out. Nothing is lost meanwhile, and words find everything.
    let gate = Gate::new();
    stage.embeddings.always(Reply::vectors(12).held(&gate));
    stage.embeddings.next(Reply::vectors(12));
    stage.remember(&ada, "Has a dog", &json!({})).await;
    let search = stage.search(&ada, "dog in Lisbon").await;
    assert_eq!(strings(&search["hits"], "text").len(), 2, "{search}");
    assert_eq!(search["semantic"], false, "{search}");
    gate.open();
    eventually("the new vectors are active", async || spaces(&stage, 12, "active").await == 1).await;
    assert_eq!(spaces(&stage, 8, "retired").await, 1);
    stage.embedded(&ada, &["Lives in Lisbon", "Has a dog"]).await;

    // After a restart, and back to the first length.
    stage.embeddings.always(Reply::vectors(8));
    restart(&mut stage, &[]).await;
    eventually("the first vectors are active again", async || spaces(&stage, 8, "active").await == 1).await;
    stage.embedded(&ada, &["Lives in Lisbon", "Has a dog"]).await;
    assert_eq!(stage.count("FROM memory.embedding_jobs").await, 0);
}

/// Its transaction does not know the other model yet, and whoever prepares that model cannot see the text yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_while_the_model_changes_is_not_forgotten() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Lives in Lisbon", &json!({})).await;
    stage.embedded(&ada, &["Lives in Lisbon"]).await;
    stage.embeddings.always(Reply::status(503));
    restart(&mut stage, &[("BRAINOPS_EMBEDDINGS_MODEL", "text-embedding-3-large")]).await;
    stage.app.db.admin(|conn| conn.batch_execute(GATE).unwrap()).await;
    let nothing_more = json!({});
    let remember = stage.remember(&ada, "Has a dog", &nothing_more);
    let change = async {
        let at_gate = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        eventually("the text is stored, but for its event", async || stage.count(at_gate).await > 0).await;
        stage.embeddings.always(Reply::echo());
        let known = "FROM memory.spaces WHERE model = 'text-embedding-3-large'";
        let waits = "FROM pg_locks WHERE NOT granted AND relation = 'memory.spaces'::regclass";
        eventually("the other model is known, or waits to be", async || {
            stage.count(waits).await > 0 || stage.count(known).await > 0
        })
        .await;
        stage.app.db.admin(|conn| conn.batch_execute("INSERT INTO memory.gate DEFAULT VALUES").unwrap()).await;
    };
    tokio::join!(remember, change);
    eventually("the other model takes over", async || active(&stage.app).await == "text-embedding-3-large").await;
    stage.embedded(&ada, &["Lives in Lisbon", "Has a dog"]).await;
}

/// Holds up who writes an event until there is a row in `gate`. Whoever waited for a lock would be sent away soon.
const GATE: &str = "
    CREATE TABLE memory.gate (open boolean);
    CREATE FUNCTION memory.wait_at_gate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        WHILE NOT EXISTS (SELECT FROM memory.gate) LOOP
            PERFORM pg_sleep(0.02);
        END LOOP;
        RETURN NEW;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON memory.outbox_events FOR EACH ROW EXECUTE FUNCTION memory.wait_at_gate();
";

async fn active(app: &TestApp<Memory>) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        model: String,
    }
    let sql = "SELECT model FROM memory.spaces WHERE state = 'active'";
    app.db.admin(move |conn| sql_query(sql).get_result::<Row>(conn).unwrap().model).await
}
