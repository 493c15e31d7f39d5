//! Admission and settling: two replicas on one database, at random and in parallel, and the books at the end.

use ai::{
    domain::{
        quota::{Metric, Subject},
        window::Period,
    },
    ledger::{Durability, Refusal, Settings},
};

use crate::ledger_world::{World, eventually, quick, spent};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_once_and_counted_in_every_quota() {
    let world = World::new().await;
    for (period, metric, limit) in [
        (Period::Minute, Metric::Requests, 10),
        (Period::Day, Metric::Tokens, 10_000),
        (Period::Month, Metric::CostNanoUsd, 1_000_000_000),
    ] {
        world.quota(Subject::Organization, period, metric, limit).await;
    }
    let replica = world.replica_with(Settings { durability: Durability::Batch, ..quick() });
    let reservation = world.reserve(&replica, 100).await.unwrap();
    let headroom = reservation.headroom();
    let requests = headroom.requests.unwrap();
    assert_eq!((requests.limit, requests.remaining, requests.resets_in.as_secs()), (10, 9, 60));
    assert_eq!(headroom.tokens.unwrap().remaining, 9_900);
    reservation.settle(spent(60)).await;
    assert_eq!(world.records().await, 1);
    let used = |metric: &str| {
        format!("SELECT used FROM ai.quota_windows w JOIN ai.quotas q ON q.id = w.quota_id WHERE q.metric = '{metric}'")
    };
    assert_eq!(world.number(&used("requests")).await, 1);
    assert_eq!(world.number(&used("tokens")).await, 60);
    assert_eq!(world.number(&used("cost_nano_usd")).await, 60_000);
    replica.stop().await;
    assert_eq!(world.windows().await.1, 0, "every slice went back");
    assert_eq!(world.number("SELECT count(*) FROM ai.outbox_events").await, 2, "finished and recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_never_reached_a_provider_goes_back_whole() {
    let world = World::new().await;
    world.quota(Subject::Organization, Period::Day, Metric::Tokens, 100).await;
    let replica = world.replica();
    for _ in 0..20 {
        drop(world.reserve(&replica, 100).await.unwrap());
    }
    replica.stop().await;
    assert_eq!((world.windows().await, world.records().await), ((0, 0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_quotas_or_none() {
    let world = World::new().await;
    world.quota(Subject::Organization, Period::Day, Metric::Tokens, 1_000).await;
    world.quota(Subject::User(None), Period::Day, Metric::Tokens, 50).await;
    let replica = world.replica();
    let refusal = world.reserve(&replica, 51).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Exceeded { metric: "tokens", limit: 50, used: 0, .. }), "{refusal:?}");
    let whole = world.reserve(&replica, 50).await.unwrap();
    whole.settle(spent(50)).await;
    eventually("settled", async || world.windows().await.0 == 100).await;
    replica.stop().await;
    assert_eq!(world.windows().await, (100, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_foreseen_is_booked_and_shuts_the_door() {
    let world = World::new().await;
    world.quota(Subject::Organization, Period::Day, Metric::Tokens, 100).await;
    let replica = world.replica_with(Settings { durability: Durability::Batch, ..quick() });
    world.reserve(&replica, 10).await.unwrap().settle(spent(500)).await;
    assert_eq!(world.windows().await.0, 500);
    let refusal = world.reserve(&replica, 1).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Exceeded { used: 500, limit: 100, .. }), "{refusal:?}");
    replica.stop().await;
}
