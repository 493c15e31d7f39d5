//! Usage while the database is away: nothing is lost, nothing counts twice, and who is known to be within their limits is
//! served.

use std::{path::Path, time::Duration};

use ai::{
    domain::{
        quota::{Metric, Subject},
        window::Period,
    },
    ledger::{Durability, Refusal, Settings},
};
use testkit::Actor;

use crate::ledger_world::{Replica, World, eventually, quick, spent};

/// With a spool, and slices that stay in hand.
fn settings(spool: &Path) -> Settings {
    let spool_dir = Some(spool.to_owned());
    Settings { spool_dir, durability: Durability::Batch, lease_idle: Duration::from_mins(5), ..quick() }
}

/// Calls of ten tokens each that settle for seven; durable when this returns.
async fn calls(world: &World, replica: &Replica, count: i64) {
    for _ in 0..count {
        world.reserve(replica, 10).await.unwrap().settle(spent(7)).await;
    }
}

fn spooled(dir: &Path) -> usize {
    std::fs::read_dir(dir)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "jsonl")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_waits_on_disk_while_the_database_is_down_and_outlives_the_process() {
    let (dir, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (world, mut server) = World::with_own_postgres(dir.path()).await;
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 160_000).await;
    let replica = world.replica_with(settings(spool.path()));
    calls(&world, &replica, 3).await;

    server.kill();
    // From the slice in hand, and with nobody to write to.
    calls(&world, &replica, 5).await;
    assert_eq!(spooled(spool.path()), 1);
    // What is not known to be unlimited is not admitted.
    let stranger = Actor::new(contracts::Role::Member);
    let stranger = ai::domain::caller::Caller { org: stranger.org, user: stranger.user, ..world.caller };
    let refusal = world.reserve_as(&replica, &stranger, 1).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Unavailable(_)), "{refusal:?}");
    let refusal = world.reserve(&replica, 150_000).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Unavailable(_)), "more than is in hand: {refusal:?}");

    // Back, with the same process: it writes what waited by itself.
    server.restart().unwrap();
    eventually("the spool is empty", async || spooled(spool.path()) == 0).await;
    assert_eq!((world.records().await, world.windows().await.0), (8, 56));

    // Away again, and this time the process dies, too.
    server.kill();
    calls(&world, &replica, 4).await;
    replica.kill().await;
    server.restart().unwrap();
    let next = world.replica_with(settings(spool.path()));
    eventually("the spool is empty", async || spooled(spool.path()) == 0).await;
    calls(&world, &next, 1).await;
    next.stop().await;
    assert_eq!((world.records().await, world.windows().await.0), (13, 91));
    assert_eq!(world.events("usage_recorded").await, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_holds_nobody_up_who_is_within_their_slice() {
    let (dir, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (world, server) = World::with_own_postgres(dir.path()).await;
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 160_000).await;
    let replica = world.replica_with(settings(spool.path()));
    calls(&world, &replica, 1).await;
    server.pause();
    let reservation = world.reserve(&replica, 10).await.unwrap();
    reservation.settle(spent(7)).await;
    assert_eq!(spooled(spool.path()), 1, "it was put on disk after the writer's patience");
    let refusal = tokio::time::timeout(Duration::from_secs(6), world.reserve(&replica, 150_000)).await;
    assert!(matches!(refusal.expect("an answer in time"), Err(Refusal::Unavailable(_))));
    server.resume();
    eventually("the spool is empty", async || spooled(spool.path()) == 0).await;
    replica.stop().await;
    assert_eq!((world.records().await, world.windows().await.0), (2, 14));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_read_twice_counts_once() {
    let (world, spool) = (World::new().await, tempfile::tempdir().unwrap());
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 160_000).await;
    let replica = world.replica_with(settings(spool.path()));
    // What makes the database refuse everything, and is mended later.
    world.execute("ALTER TABLE ai.usage_records RENAME TO usage_records_away").await;
    calls(&world, &replica, 5).await;
    let copies: Vec<_> = std::fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for (n, path) in copies.iter().enumerate() {
        std::fs::copy(path, spool.path().join(format!("usage-copy-{n}.jsonl"))).unwrap();
    }
    world.execute("ALTER TABLE ai.usage_records_away RENAME TO usage_records").await;
    eventually("the spool is empty", async || spooled(spool.path()) == 0).await;
    replica.stop().await;
    assert_eq!((world.records().await, world.windows().await), (5, (35, 0)));
    assert_eq!(world.events("usage_recorded").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_database_refuses_is_set_aside_and_holds_nobody_up() {
    let (mut world, spool) = (World::new().await, tempfile::tempdir().unwrap());
    let replica = world.replica_with(Settings { durability: Durability::Async, ..settings(spool.path()) });
    world.execute("ALTER TABLE ai.usage_records ADD CONSTRAINT taste CHECK (model <> 'poison')").await;
    for alias in ["fast", "poison", "slow"] {
        world.model.alias = alias.to_owned();
        calls(&world, &replica, 2).await;
    }
    replica.stop().await;
    assert_eq!(world.records().await, 4);
    let aside = std::fs::read_to_string(spool.path().join("usage.rejected")).unwrap();
    assert_eq!(aside.lines().filter(|line| line.contains("poison")).count(), 2, "{aside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_that_waits_alone_is_set_aside_once_others_are_taken() {
    let (mut world, spool) = (World::new().await, tempfile::tempdir().unwrap());
    let replica = world.replica_with(settings(spool.path()));
    world.execute("ALTER TABLE ai.usage_records ADD CONSTRAINT taste CHECK (model <> 'poison')").await;
    world.model.alias = "poison".to_owned();
    calls(&world, &replica, 1).await;
    // The second refusal is that of the spool's reader, which has nothing else in hand.
    let refused = "ai_usage_written_total{outcome=\"failed\",service=\"ai\"} 2";
    eventually("it is refused again", async || kit::metrics::render().lines().any(|line| line == refused)).await;
    world.model.alias = "fast".to_owned();
    calls(&world, &replica, 1).await;
    eventually("the spool is empty", async || spooled(spool.path()) == 0).await;
    calls(&world, &replica, 1).await;
    replica.stop().await;
    assert_eq!(world.records().await, 2);
    let aside = std::fs::read_to_string(spool.path().join("usage.rejected")).unwrap();
    assert_eq!(aside.lines().count(), 1, "{aside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_spool_usage_waits_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut server) = World::with_own_postgres(dir.path()).await;
    let replica = world.replica_with(Settings { lease_idle: Duration::from_mins(5), ..quick() });
    calls(&world, &replica, 2).await;
    eventually("written", async || world.records().await == 2).await;
    server.kill();
    // Nothing limits the caller, which is known.
    calls(&world, &replica, 3).await;
    server.restart().unwrap();
    eventually("written", async || world.records().await == 5).await;
    replica.stop().await;
}
