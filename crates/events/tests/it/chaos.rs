//! Faults under load. Each test keeps the journal of acknowledged changes and ends with the set check.

use std::sync::Arc;
use std::time::Duration;

use contracts::Origin;
use contracts::auth::v1::UserRegistered;
use events::{Consumer, ConsumerSpec, Delivery};
use tokio::task::spawn_blocking;

use crate::support::{World, apply, counted, uuid};

const QUEUE: &str = "probe.auth";

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_and_restarted_under_load_loses_nothing() {
    let (world, rabbit, _dir) = World::with_own_broker().await;
    let world = Arc::new(world);
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    counted(&mut count, 1).await;

    let writing = writers(&world, 4, 150);
    // In this order: RabbitMQ 3.10 keeps the register of new quorum queues in memory for up to three minutes, and a single
    // node that is killed in that time has a queue without a leader afterwards.
    for gently in [true, false] {
        let rabbit = Arc::clone(&rabbit);
        spawn_blocking(move || {
            let mut rabbit = rabbit.lock().unwrap();
            if gently {
                rabbit.stop();
            } else {
                rabbit.kill();
            }
            rabbit.restart().unwrap();
        })
        .await
        .unwrap();
    }
    for writer in writing {
        writer.await.unwrap();
    }
    world.settled().await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_for_a_while_loses_nothing() {
    let (world, rabbit, _dir) = World::with_own_broker().await;
    let world = Arc::new(world);
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    counted(&mut count, 1).await;

    rabbit.lock().unwrap().pause();
    let writing = writers(&world, 2, 50);
    for writer in writing {
        writer.await.unwrap();
    }
    // Longer than two heartbeats: both sides have given the connection up.
    tokio::time::sleep(Duration::from_secs(25)).await;
    rabbit.lock().unwrap().resume();
    world.settled().await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_and_consumers_that_are_killed_again_and_again_lose_nothing() {
    let world = Arc::new(World::new().await);
    let writing = writers(&world, 2, 200);
    let spec = ConsumerSpec { prefetch: 20, ..ConsumerSpec::projection(QUEUE) };
    for round in 0..6 {
        let db = world.db.clone();
        let consumer =
            Consumer::new(&world.broker, &world.db, spec.clone()).on(move |delivery: Delivery<UserRegistered>| {
                let db = db.clone();
                async move { apply(&db, QUEUE, &delivery).await.map(drop) }
            });
        let consuming = world.consume(consumer, QUEUE).await;
        let relaying = world.relay();
        // When exactly the kill comes is left to chance; the check at the end must hold whenever it does.
        tokio::time::sleep(Duration::from_millis(300 + 70 * round)).await;
        relaying.kill().await;
        consuming.kill().await;
    }
    for writer in writing {
        writer.await.unwrap();
    }
    let (consumer, _) = world.effects(spec);
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    world.settled().await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_killed_and_hanging_under_load_loses_nothing() {
    let (world, postgres, _dir) = World::with_own_postgres().await;
    let world = Arc::new(world);
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    counted(&mut count, 1).await;

    let writing = writers(&world, 4, 150);
    let chaos = Arc::clone(&postgres);
    spawn_blocking(move || {
        let mut postgres = chaos.lock().unwrap();
        postgres.kill();
        postgres.restart().unwrap();
        postgres.pause();
        std::thread::sleep(Duration::from_secs(5));
        postgres.resume();
    })
    .await
    .unwrap();
    for writer in writing {
        writer.await.unwrap();
    }
    world.settled().await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

/// Clients that go on to the next change whether or not the last one was acknowledged, until enough were.
fn writers(world: &Arc<World>, writers: usize, changes: i64) -> Vec<tokio::task::JoinHandle<()>> {
    let writer = |world: Arc<World>| async move {
        let subject = uuid();
        let (mut acknowledged, mut sequence) = (0, 0);
        while acknowledged < changes {
            sequence += 1;
            match world.try_change(subject, sequence, Origin::system(world.core.clock.now())).await {
                Ok(_) => acknowledged += 1,
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
        }
    };
    (0..writers).map(|_| kit::tasks::spawn("writer", writer(Arc::clone(world)))).collect()
}
