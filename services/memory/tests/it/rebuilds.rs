//! Somebody has the vector index made anew, while it is searched.

use std::{fs, num::NonZeroUsize, path::Path};

use contracts::{OrgId, Role};
use db::{
    Db, Settings,
    diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types},
};
use kit::Core;
use memory::{
    Rebuilds,
    domain::{
        entry::EntryId,
        rebuild::{Rebuild, RebuildState},
    },
    vectors::{Change, EdgeIndex, EdgeSettings, Space, VectorIndex as _, Watermark},
};
use serde_json::json;
use testkit::Actor;

use crate::support::{Stage, eventually};

/// Of the model of [`Stage`].
const DIMENSION: NonZeroUsize = NonZeroUsize::new(8).unwrap();

fn rebuilds(stage: &Stage) -> Rebuilds {
    let settings = Settings::new(stage.app.db.app_url(), NonZeroUsize::MIN);
    Rebuilds::new(Db::open(&settings, "memory", &Core::outside("test")).unwrap())
}

async fn is_over(rebuilds: &Rebuilds, id: i64) -> Option<Rebuild> {
    let found = rebuilds.find(id).await.unwrap().unwrap();
    matches!(found.state, RebuildState::Done | RebuildState::Failed).then_some(found)
}

/// Waits for its end, and that searches have vectors all the while.
async fn over(stage: &Stage, who: &Actor, rebuilds: &Rebuilds, id: i64) -> Rebuild {
    let mut ended = None;
    eventually("the rebuild is over", async || {
        assert!(has_vector(stage, who, "Fact number 30").await);
        ended = is_over(rebuilds, id).await;
        ended.is_some()
    })
    .await;
    ended.unwrap()
}

async fn has_vector(stage: &Stage, who: &Actor, text: &str) -> bool {
    let found = stage.search_with(who, text, &json!({"top_k": 100})).await;
    assert_eq!(found["semantic"], true);
    let hit = found["hits"].as_array().unwrap().iter().find(|hit| hit["text"] == text).cloned();
    hit.unwrap()["explain"]["cosine"].is_number()
}

/// Facts that are in the index.
async fn facts(stage: &Stage, who: &Actor) -> Vec<EntryId> {
    let mut ids = Vec::new();
    for n in 0..40 {
        let id = stage.remember(who, &format!("Fact number {n}"), &json!({})).await;
        ids.push(EntryId(id.parse().unwrap()));
    }
    let texts: Vec<_> = (0..40).map(|n| format!("Fact number {n}")).collect();
    stage.embedded(who, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    ids
}

async fn number(stage: &Stage, sql: &'static str) -> u64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::BigInt)]
        number: i64,
    }
    let row: Row = stage.app.db.admin(move |conn| sql_query(sql).get_result(conn).unwrap()).await;
    row.number.try_into().unwrap()
}

/// Takes points out of the index of a service that does not run, in a way that it cannot notice.
async fn lose(stage: &Stage, org: OrgId, ids: &[EntryId]) {
    let all = number(stage, "SELECT max(changed::text::bigint) + 1 AS number FROM memory.entries").await;
    eventually("all of it is settled", async || {
        number(stage, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS number").await >= all
    })
    .await;
    let root = stage.directory.path().to_owned();
    let index = EdgeIndex::new(EdgeSettings {
        root,
        searches: NonZeroUsize::MIN,
        build_threads: NonZeroUsize::MIN,
        scan_kb: 10_000,
    });
    let space = Space { id: 1, dimension: DIMENSION };
    assert_ne!(index.open(space).await.unwrap(), Watermark::default(), "it is the one that was there");
    index.apply(space, ids.iter().map(|id| Change::Delete { org, id: *id }).collect()).await.unwrap();
    index.commit(space, Watermark(all)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_lost_unnoticed_is_there_after_a_rebuild() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let ids = facts(&stage, &ada).await;
    stage.app.stop().await;
    lose(&stage, ada.org, &ids[..10]).await;
    stage.app.restart(&[]).await;
    stage.embedded(&ada, &["Fact number 30"]).await;
    for n in 0..10 {
        assert!(!has_vector(&stage, &ada, &format!("Fact number {n}")).await, "{n} is lost");
    }

    let rebuilds = rebuilds(&stage);
    let asked = rebuilds.request().await.unwrap();
    stage.remember(&ada, "Said meanwhile", &json!({})).await;
    let done = over(&stage, &ada, &rebuilds, asked.id).await;
    assert_eq!((done.state, done.error), (RebuildState::Done, None));
    assert!(done.vectors_done >= 40 && done.vectors_total >= 40, "{} of {}", done.vectors_done, done.vectors_total);
    for n in 0..40 {
        assert!(has_vector(&stage, &ada, &format!("Fact number {n}")).await, "{n}");
    }
    stage.embedded(&ada, &["Said meanwhile"]).await;
    // The new one is kept up and lasts.
    stage.remember(&ada, "Said later", &json!({})).await;
    stage.embedded(&ada, &["Said later"]).await;
    stage.app.restart(&[]).await;
    stage.embedded(&ada, &["Fact number 3", "Said later"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_twice_waits_for_the_same_and_it_outlives_the_process() {
    let mut stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    facts(&stage, &ada).await;
    stage.app.stop().await;
    let rebuilds = rebuilds(&stage);
    let asked = rebuilds.request().await.unwrap();
    assert_eq!(asked.state, RebuildState::Waiting);
    assert_eq!(rebuilds.request().await.unwrap(), asked);
    // As a process leaves it that dies over it.
    let sql = "UPDATE memory.rebuilds SET state = 'running', vectors_done = 7";
    stage.app.db.admin(move |conn| sql_query(sql).execute(conn).unwrap()).await;
    stage.app.restart(&[]).await;
    eventually("it is begun anew and done", async || {
        is_over(&rebuilds, asked.id)
            .await
            .is_some_and(|over| (over.state, over.vectors_done) == (RebuildState::Done, 40))
    })
    .await;
    stage.embedded(&ada, &["Fact number 3"]).await;
    assert_ne!(rebuilds.request().await.unwrap().id, asked.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_fails_says_why_and_leaves_the_index_as_it_was() {
    let hour = |app: testkit::TestAppBuilder<memory::Memory>| app.env("BRAINOPS_VECTORS_COMMIT_INTERVAL_MS", "3600000");
    let stage = Stage::with(hour).await;
    let ada = Actor::new(Role::Member);
    facts(&stage, &ada).await;
    let (space, away) = (stage.directory.path().join("1"), stage.directory.path().join("away"));
    fs::rename(&space, &away).unwrap();
    fs::write(&space, "no directory").unwrap();

    let rebuilds = rebuilds(&stage);
    let asked = rebuilds.request().await.unwrap();
    let failed = over(&stage, &ada, &rebuilds, asked.id).await;
    assert_eq!(failed.state, RebuildState::Failed);
    assert!(failed.error.as_ref().is_some_and(|why| why.contains("no directory for vectors")), "{failed:?}");
    assert!(has_vector(&stage, &ada, "Fact number 3").await);

    mend(&space, &away);
    let asked = rebuilds.request().await.unwrap();
    assert_eq!(over(&stage, &ada, &rebuilds, asked.id).await.state, RebuildState::Done);
    assert!(has_vector(&stage, &ada, "Fact number 3").await);
}

fn mend(space: &Path, away: &Path) {
    fs::remove_file(space).unwrap();
    fs::rename(away, space).unwrap();
}
