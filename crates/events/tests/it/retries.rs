use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use contracts::auth::v1::UserRegistered;
use events::{Consumer, ConsumerSpec, Delivery, Failure, dlq};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::{World, apply, counted, uuid, within};

const QUEUE: &str = "probe.auth";

fn delays(ms: &[u64]) -> Vec<Duration> {
    ms.iter().copied().map(Duration::from_millis).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delay_is_kept_and_then_the_message_is_dead() {
    let world = World::new().await;
    let (sender, mut attempts) = mpsc::unbounded_channel();
    let spec = ConsumerSpec { delays: delays(&[300, 700, 1_100]), ..ConsumerSpec::projection(QUEUE) };
    let failing =
        Consumer::new(&world.broker, &world.db, spec.clone()).on(move |delivery: Delivery<UserRegistered>| {
            let _ = sender.send((delivery.attempt, Instant::now()));
            async move { Err(Failure::retry(anyhow!("no. {}", delivery.attempt).context("it does not work"))) }
        });
    // Somebody else reads the same event; what fails here must not come back there.
    let (other, mut count) = world.effects(ConsumerSpec::projection("probe.other"));
    let consuming = world.consume(failing, QUEUE).await;
    let other = world.consume(other, "probe.other").await;
    let relaying = world.relay();

    let id = world.change(uuid(), 1).await;
    let mut last = None;
    for (expected, delay) in [(1, 0), (2, 300), (3, 700), (4, 1_100)] {
        let (attempt, at) = within("the next attempt", attempts.recv()).await.unwrap();
        assert_eq!(attempt, expected);
        let waited = last.map_or(Duration::MAX, |last| at - last);
        assert!(waited >= Duration::from_millis(delay), "attempt {attempt} came after {waited:?}");
        last = Some(at);
    }
    let dead = within("it is dead", world.first_dead_letter(QUEUE)).await;
    assert_eq!((dead.id.as_str(), dead.reason.as_str()), (id.to_string().as_str(), "attempts_used_up"));
    assert_eq!(dead.event_type, "brainops.auth.user_registered.v1");
    let history: Vec<_> = dead.attempts.iter().map(|attempt| (attempt.attempt, attempt.error.as_str())).collect();
    assert_eq!(
        history,
        [
            (1, "it does not work: no. 1"),
            (2, "it does not work: no. 2"),
            (3, "it does not work: no. 3"),
            (4, "it does not work: no. 4")
        ]
    );
    assert!(attempts.try_recv().is_err(), "there was a fifth attempt");

    consuming.stop().await;
    counted(&mut count, 1).await;
    assert_eq!(*count.borrow(), 1, "a retry reached another consumer");
    dlq::drop(&world.broker, QUEUE, &id.to_string()).await.unwrap();
    for task in [relaying, other] {
        task.stop().await;
    }
    world.check_sets(&[QUEUE, "probe.other"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_or_panics_once_succeeds_later() {
    let world = World::new().await;
    let (calls, db) = (Arc::new(AtomicUsize::new(0)), world.db.clone());
    let (sender, mut done) = mpsc::unbounded_channel();
    let spec = ConsumerSpec { delays: delays(&[100, 100]), ..ConsumerSpec::projection(QUEUE) };
    let consumer = Consumer::new(&world.broker, &world.db, spec).on(move |delivery: Delivery<UserRegistered>| {
        let (db, sender, call) = (db.clone(), sender.clone(), calls.fetch_add(1, Ordering::SeqCst));
        async move {
            match call {
                0 => panic!("the handler is wrong"),
                1 => Err(Failure::retry(anyhow!("not yet"))),
                _ => {
                    apply(&db, QUEUE, &delivery).await?;
                    sender.send(delivery.attempt).map_err(Failure::fail)
                }
            }
        }
    });
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    assert_eq!(within("the third attempt succeeds", done.recv()).await, Some(3));
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}
