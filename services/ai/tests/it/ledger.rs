//! Admission and settling: two replicas on one database, at random and in parallel, and the books at the end.

use std::{sync::Arc, time::Duration};

use ai::{
    domain::{
        caller::Caller,
        quota::{Metric, Subject},
        window::Period,
    },
    ledger::{Durability, Refusal, Settings},
};

use contracts::{ApiKeyId, TeamId};
use kit::{Ids as _, RandomIds};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use crate::ledger_world::{World, eventually, model, quick, spent};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_once_and_counted_in_every_quota() {
    let world = World::new().await;
    for (period, metric, limit) in [
        (Period::Minute, Metric::Requests, 10),
        (Period::Day, Metric::Tokens, 10_000),
        (Period::Month, Metric::CostNanoUsd, 1_000_000_000),
    ] {
        world.quota(Subject::Organization(None), period, metric, limit).await;
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
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 100).await;
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
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 1_000).await;
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
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 100).await;
    let replica = world.replica_with(Settings { durability: Durability::Batch, ..quick() });
    world.reserve(&replica, 10).await.unwrap().settle(spent(500)).await;
    assert_eq!(world.windows().await.0, 500);
    let refusal = world.reserve(&replica, 1).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Exceeded { used: 500, limit: 100, .. }), "{refusal:?}");
    replica.stop().await;
}

/// What one worker did.
#[derive(Clone, Copy, Default)]
struct Done {
    calls: i64,
    tokens: i64,
    /// What calls used beyond their estimates.
    beyond: i64,
    refused: u32,
}

/// Two replicas, many callers, everything at random: reserve, then settle for more or less, or give back. At the end
/// the books balance, and what was over-spent is what nobody could foresee.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_in_parallel_never_over_spend_what_could_be_foreseen() {
    const LIMIT: i64 = 20_000;
    const CALLS: i64 = 700;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let world = Arc::new(World::new().await);
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, LIMIT).await;
    world.quota(Subject::Organization(None), Period::Month, Metric::Requests, CALLS).await;
    world.quota(Subject::User(None), Period::Month, Metric::Tokens, LIMIT / 3).await;
    let replicas = [Arc::new(world.replica()), Arc::new(world.replica())];
    let people = [world.caller, world.colleague(), world.colleague(), world.colleague()];
    let mut workers = JoinSet::new();
    for worker in 0..24_u64 {
        let (world, replica) = (Arc::clone(&world), Arc::clone(&replicas[usize::try_from(worker % 2).unwrap()]));
        let (caller, mut dice) =
            (people[usize::try_from(worker / 2 % 4).unwrap()], StdRng::seed_from_u64(seed ^ worker));
        workers.spawn(async move {
            let mut done = Done::default();
            for _ in 0..60 {
                let (estimate, actual) = (dice.random_range(1..60), dice.random_range(0..90));
                match world.reserve_as(&replica, &caller, estimate).await {
                    Err(Refusal::Exceeded { .. }) => done.refused += 1,
                    Err(other) => panic!("{other:?}"),
                    Ok(reservation) if dice.random_ratio(1, 5) => drop(reservation),
                    Ok(reservation) => {
                        tokio::task::yield_now().await;
                        // Whoever holds a stream settles it and does not wait.
                        drop(reservation.settle(spent(actual)));
                        let (estimate, actual) = (i64::try_from(estimate).unwrap(), i64::try_from(actual).unwrap());
                        done.calls += 1;
                        done.tokens += actual;
                        done.beyond += (actual - estimate).max(0);
                    }
                }
            }
            done
        });
    }
    let all = workers.join_all().await.into_iter().fold(Done::default(), |sum, one| Done {
        calls: sum.calls + one.calls,
        tokens: sum.tokens + one.tokens,
        beyond: sum.beyond + one.beyond,
        refused: sum.refused + one.refused,
    });
    for replica in replicas {
        Arc::into_inner(replica).unwrap().stop().await;
    }
    assert!(all.refused > 0, "the limits were reached, or this test shows nothing");
    assert_eq!(world.records().await, all.calls);
    let recorded = "SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM ai.usage_records";
    assert_eq!(world.number(recorded).await, all.tokens);
    let used = |which: &str| {
        format!(
            "SELECT coalesce(sum(used), 0) FROM ai.quota_windows w JOIN ai.quotas q ON q.id = w.quota_id WHERE {which}"
        )
    };
    assert_eq!(world.number(&used("q.subject = 'organization' AND q.metric = 'tokens'")).await, all.tokens);
    assert_eq!(world.number(&used("q.subject = 'user'")).await, all.tokens, "each person's, together");
    assert_eq!(world.number(&used("q.metric = 'requests'")).await, all.calls);
    assert_eq!(world.windows().await.1, 0, "every slice went back");
    assert_eq!(world.number("SELECT coalesce(sum(amount), 0) FROM ai.quota_leases").await, 0);
    assert!(all.calls <= CALLS, "{} calls", all.calls);
    assert!(all.tokens - LIMIT <= all.beyond, "{} tokens, {} of them unforeseeable", all.tokens, all.beyond);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_used_to_the_last_token_across_replicas() {
    let world = Arc::new(World::new().await);
    world.quota(Subject::Organization(None), Period::Day, Metric::Requests, 100).await;
    let replicas = [Arc::new(world.replica()), Arc::new(world.replica())];
    let mut calls = JoinSet::new();
    for n in 0..300 {
        let (world, replica) = (Arc::clone(&world), Arc::clone(&replicas[n % 2]));
        calls.spawn(async move {
            // A slice may be in the other replica's hands for a moment.
            for _ in 0..3 {
                if let Ok(reservation) = world.reserve(&replica, 1).await {
                    reservation.settle(spent(1)).await;
                    return 1;
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            0
        });
    }
    let admitted: i64 = calls.join_all().await.into_iter().sum();
    for replica in replicas {
        Arc::into_inner(replica).unwrap().stop().await;
    }
    assert_eq!((admitted, world.windows().await), (100, (100, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slices_of_a_replica_that_died_go_back() {
    let world = World::new().await;
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 1_600).await;
    let (dead, alive) = (world.replica(), world.replica());
    let taken = world.reserve(&dead, 50).await.unwrap();
    dead.kill().await;
    assert_eq!(world.windows().await, (0, 100), "a 16th");
    let refusal = world.reserve(&alive, 1_600).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Exceeded { .. }), "{refusal:?}");
    world.execute("UPDATE ai.quota_leases SET expires_at = now() - interval '1 second'").await;
    alive.ledger.sweep().await.unwrap();
    assert_eq!(world.windows().await.1, 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(world.reserve(&alive, 1_600).await.unwrap());
    drop(taken);
    alive.stop().await;
    assert_eq!(world.windows().await, (0, 0));
}

/// A replica that stood still so long that its lease was given away does not admit from it any more, and what it had in
/// flight is still booked.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_slept_past_its_lease_asks_again() {
    let world = World::new().await;
    world.quota(Subject::Organization(None), Period::Day, Metric::Tokens, 1_600).await;
    let life = Duration::from_millis(200);
    let settings = || Settings { lease_life: life, lease_idle: Duration::from_mins(1), ..quick() };
    let (sleeper, other) = (world.replica_with(settings()), world.replica());
    let in_flight = world.reserve(&sleeper, 50).await.unwrap();
    world.execute("UPDATE ai.quota_leases SET expires_at = now() - interval '1 second'").await;
    other.ledger.sweep().await.unwrap();
    let everything = world.reserve(&other, 1_600).await.unwrap();
    // Renewing finds that the lease is gone.
    eventually("the sleeper notices", async || world.reserve(&sleeper, 1).await.is_err()).await;
    everything.settle(spent(1_600)).await;
    in_flight.settle(spent(50)).await;
    sleeper.stop().await;
    other.stop().await;
    assert_eq!(world.windows().await, (1_650, 0), "nothing of the late call is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_counts_in_the_month_in_which_it_was_admitted() {
    let world = World::new().await;
    world.quota(Subject::Organization(None), Period::Month, Metric::Tokens, 1_000).await;
    let replica = world.replica_with(Settings { durability: Durability::Batch, ..quick() });
    world.clock.set("2026-03-31T23:59:59.5Z".parse().unwrap());
    let march = world.reserve(&replica, 1_000).await.unwrap();
    assert_eq!(march.headroom().tokens.unwrap().resets_in, Duration::from_millis(500));
    assert!(world.reserve(&replica, 1).await.is_err());
    world.clock.advance(chrono::TimeDelta::seconds(1));
    let april = world.reserve(&replica, 1_000).await.unwrap();
    march.settle(spent(900)).await;
    april.settle(spent(10)).await;
    let used = async |month: &str| {
        world.number(&format!("SELECT used FROM ai.quota_windows WHERE started_at = '{month}'")).await
    };
    assert_eq!(used("2026-03-01T00:00:00Z").await, 900);
    assert_eq!(used("2026-04-01T00:00:00Z").await, 10);
    replica.stop().await;
    assert_eq!(world.windows().await, (910, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_threshold_and_the_first_refusal_are_told_once_a_window() {
    let world = World::new().await;
    world.quota(Subject::Organization(None), Period::Minute, Metric::Requests, 10).await;
    let replica = world.replica_with(Settings { durability: Durability::Batch, ..quick() });
    for _ in 0..10 {
        world.reserve(&replica, 1).await.unwrap().settle(spent(1)).await;
    }
    for _ in 0..3 {
        assert!(world.reserve(&replica, 1).await.is_err());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(world.events("quota_threshold_reached").await, 2, "at 50 and at 80 percent");
    assert_eq!(world.events("quota_exceeded").await, 1);
    world.clock.advance(chrono::TimeDelta::minutes(1));
    for _ in 0..5 {
        world.reserve(&replica, 1).await.unwrap().settle(spent(1)).await;
    }
    assert_eq!(world.events("quota_threshold_reached").await, 3, "another window, another time");
    assert_eq!(world.events("usage_recorded").await, 15);
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_shares_its_quota_and_each_key_has_its_own() {
    let world = World::new().await;
    let (team, key) = (TeamId::from_uuid(RandomIds.uuid()), ApiKeyId::from_uuid(RandomIds.uuid()));
    world.quota(Subject::Team(Some(team)), Period::Day, Metric::Tokens, 100).await;
    world.quota(Subject::ApiKey(None), Period::Day, Metric::Tokens, 30).await;
    let (mate, other) = (world.colleague(), world.colleague());
    for member in [world.caller.user, mate.user] {
        let org = world.caller.org;
        let values = format!("('{team}', '{member}', '{org}', 1, true)");
        world.execute(format!("INSERT INTO ai.team_members VALUES {values}")).await;
    }
    let replica = world.replica();
    let mine = world.reserve(&replica, 60).await.unwrap();
    assert!(world.reserve_as(&replica, &mate, 60).await.is_err(), "the team has 40 left");
    let _elsewhere = world.reserve_as(&replica, &other, 60).await.unwrap();
    let keyed = Caller { api_key: Some(key), ..other };
    let _whole = world.reserve_as(&replica, &keyed, 30).await.unwrap();
    assert!(world.reserve_as(&replica, &keyed, 1).await.is_err());
    let another = Caller { api_key: Some(ApiKeyId::from_uuid(RandomIds.uuid())), ..other };
    let _fresh = world.reserve_as(&replica, &another, 30).await.unwrap();
    drop(mine);
    let _now_it_fits = world.reserve_as(&replica, &mate, 60).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_one_model_leaves_the_others_alone() {
    let mut world = World::new().await;
    world.quota_of(Subject::Organization(None), Some("dear"), Period::Day, Metric::CostNanoUsd, 5_000).await;
    let replica = world.replica();
    let _free = world.reserve(&replica, 1_000).await.unwrap();
    world.model = model("dear");
    let _five = world.reserve(&replica, 5).await.unwrap();
    let refusal = world.reserve(&replica, 1).await.err().unwrap();
    assert!(matches!(refusal, Refusal::Exceeded { metric: "cost_nano_usd", .. }), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_counts_with_the_next_slice_and_a_deleted_one_not_at_all() {
    let world = World::new().await;
    let quota = world.quota(Subject::Organization(None), Period::Day, Metric::Requests, 2).await;
    let replica = world.replica();
    let _two = (world.reserve(&replica, 1).await.unwrap(), world.reserve(&replica, 1).await.unwrap());
    assert!(world.reserve(&replica, 1).await.is_err());
    world.execute(format!("UPDATE ai.quotas SET limit_amount = 3 WHERE id = '{quota}'")).await;
    eventually("the refusal is forgotten", async || world.reserve(&replica, 1).await.is_ok()).await;
    world.execute(format!("UPDATE ai.quotas SET enabled = false WHERE id = '{quota}'")).await;
    eventually("nothing is limited", async || {
        let mut admitted = Vec::new();
        for _ in 0..10 {
            admitted.extend(world.reserve(&replica, 1).await);
        }
        admitted.len() == 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_durability_records_everything_once() {
    for durability in [Durability::Async, Durability::Batch, Durability::Sync] {
        let world = Arc::new(World::new().await);
        world.quota(Subject::User(None), Period::Day, Metric::Tokens, 1_000_000).await;
        let replica = Arc::new(world.replica_with(Settings { durability, ..quick() }));
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let (world, replica) = (Arc::clone(&world), Arc::clone(&replica));
            calls.spawn(async move { world.reserve(&replica, 10).await.unwrap().settle(spent(7)).await });
        }
        calls.join_all().await;
        if durability != Durability::Async {
            assert_eq!(world.records().await, 50, "{durability:?}: settled means committed");
        }
        Arc::into_inner(replica).unwrap().stop().await;
        assert_eq!((world.records().await, world.windows().await), (50, (350, 0)), "{durability:?}");
    }
}

/// The answer to a take is lost (its caller is gone, the connection too): what it took is found by the next take.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_answer_took_is_found_again() {
    let world = World::new().await;
    world.quota(Subject::Organization(None), Period::Day, Metric::Requests, 10).await;
    let replica = world.replica_with(Settings { lease_idle: Duration::from_mins(1), ..quick() });
    let _one = world.reserve(&replica, 1).await.unwrap();
    // As if a take of nine had committed and its answer had not arrived.
    world.execute("UPDATE ai.quota_leases SET amount = amount + 9").await;
    world.execute("UPDATE ai.quota_windows SET leased = leased + 9").await;
    let mut nine = Vec::new();
    for _ in 0..9 {
        nine.push(world.reserve(&replica, 1).await.unwrap());
    }
    assert!(world.reserve(&replica, 1).await.is_err());
}
