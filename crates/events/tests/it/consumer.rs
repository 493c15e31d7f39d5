use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use contracts::auth::v1::{UserDisabled, UserRegistered};
use contracts::{CloudEvent, EventId, OrgId, Origin};
use events::{Consumer, ConsumerSpec, Delivery, Failure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kit::{HealthCheck, NewId};
use lapin::BasicProperties;
use tokio::sync::{Notify, mpsc, watch};

use crate::support::{World, apply, counted, eventually, registered, uuid, within};

const QUEUE: &str = "probe.auth";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_with_everything_its_change_said() {
    let telemetry =
        kit::config::TelemetrySettings { log: "warn".into(), otlp_endpoint: None, trace_ratio: 1.0, sentry_dsn: None };
    kit::telemetry::init(&telemetry, "probe", kit::Environment::Development);
    let world = World::new().await;
    let (sender, mut received) = mpsc::unbounded_channel();
    let db = world.db.clone();
    let consumer = Consumer::new(&world.broker, &world.db, ConsumerSpec::projection(QUEUE)).on(
        move |delivery: Delivery<UserRegistered>| {
            let (db, sender) = (db.clone(), sender.clone());
            async move {
                apply(&db, QUEUE, &delivery).await?;
                sender.send((delivery, kit::telemetry::traceparent())).map_err(Failure::fail)
            }
        },
    );
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();

    let subject = uuid();
    let origin = Origin {
        actor: Some(uuid()),
        org: Some(OrgId::from_uuid(uuid())),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        at: world.core.clock.now(),
    };
    let id = world.change_with(subject, 7, origin.clone()).await;
    let (delivery, traceparent) = within("the event arrives", received.recv()).await.unwrap();

    assert_eq!(delivery.event.user_id, subject.to_string());
    assert_eq!(delivery.event.display_name, "Ada");
    assert_eq!((delivery.id, delivery.sequence, delivery.attempt), (id, 7, 1));
    assert_eq!(delivery.subject, subject.to_string());
    assert_eq!((delivery.actor, delivery.org, delivery.time), (origin.actor, origin.org, origin.at));
    // What follows from it has the same actor, tenant and trace, from a span of its own.
    assert_eq!((delivery.origin.actor, delivery.origin.org), (origin.actor, origin.org));
    assert!(delivery.origin.at >= origin.at);
    assert_eq!(delivery.origin.traceparent, traceparent);
    let traceparent = traceparent.unwrap();
    assert!(traceparent.contains("0af7651916cd43dd8448eb211c80319c"), "{traceparent}");
    assert!(!traceparent.contains("b7ad6b7169203331"), "{traceparent}");

    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
    let metrics = kit::metrics::render();
    assert!(metrics.contains("events_published_total{service=\"probe\",type=\"brainops.auth.user_registered.v1\"} 1"));
    assert!(metrics.contains(
        "events_consumed_total{outcome=\"done\",queue=\"probe.auth\",service=\"probe\",type=\"brainops.auth.user_registered.v1\"} 1"
    ));
    assert!(metrics.contains("event_age_seconds_count{queue=\"probe.auth\",service=\"probe\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subjects_events_are_handled_in_order_and_never_side_by_side() {
    let world = World::new().await;
    let (seen, mut received) = mpsc::unbounded_channel();
    let (db, busy) = (world.db.clone(), Arc::new(std::sync::Mutex::new(HashMap::<_, usize>::new())));
    let consumer = Consumer::new(&world.broker, &world.db, ConsumerSpec::projection(QUEUE)).on(
        move |delivery: Delivery<UserRegistered>| {
            let (db, seen, busy) = (db.clone(), seen.clone(), Arc::clone(&busy));
            async move {
                let subject = delivery.subject.clone();
                let at_once = {
                    let mut busy = busy.lock().unwrap();
                    let count = busy.entry(subject.clone()).or_default();
                    *count += 1;
                    *count
                };
                apply(&db, QUEUE, &delivery).await?;
                *busy.lock().unwrap().get_mut(&subject).unwrap() -= 1;
                seen.send((subject, delivery.sequence, at_once)).map_err(Failure::fail)
            }
        },
    );
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    let subjects: Vec<_> = (0..5).map(|_| uuid()).collect();
    for sequence in 1..=20 {
        for &subject in &subjects {
            world.change(subject, sequence).await;
        }
    }
    let mut sequences = HashMap::<String, Vec<i64>>::new();
    for _ in 0..100 {
        let (subject, sequence, at_once) = within("all events arrive", received.recv()).await.unwrap();
        assert_eq!(at_once, 1, "two events of one subject side by side");
        sequences.entry(subject).or_default().push(sequence);
    }
    for (subject, sequences) in sequences {
        assert_eq!(sequences, (1..=20).collect::<Vec<_>>(), "order of {subject}");
    }
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_copies_in_any_order_have_one_effect() {
    let world = World::new().await;
    let (delivered, mut count) = watch::channel(0);
    let db = world.db.clone();
    let consumer = Consumer::new(&world.broker, &world.db, ConsumerSpec::projection(QUEUE)).on(
        move |delivery: Delivery<UserRegistered>| {
            let (db, delivered) = (db.clone(), delivered.clone());
            async move {
                apply(&db, QUEUE, &delivery).await?;
                delivered.send_modify(|count| *count += 1);
                Ok(())
            }
        },
    );
    let consuming = world.consume(consumer, QUEUE).await;

    let mut bodies = Vec::new();
    for sequence in 1..=10 {
        let event = registered(uuid());
        let id: EventId = world.core.ids.new();
        let origin = Origin::system(world.core.clock.now());
        bodies.push(CloudEvent::new(id, &origin, sequence, &event).unwrap().to_json().unwrap());
        world.note_change(id, event.user_id.parse().unwrap(), sequence).await;
    }
    // 0, 7, 4, 1, 8, … : every copy of every event, none beside its neighbour.
    world.publish((0..100).map(|step| (&*bodies[step * 7 % 10], BasicProperties::default()))).await;
    counted(&mut count, 100).await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_in_hand_and_gives_the_rest_back() {
    let world = World::new().await;
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (db, hand) = (world.db.clone(), (Arc::clone(&begun), Arc::clone(&gate)));
    let spec = ConsumerSpec { concurrency: 1, ..ConsumerSpec::projection(QUEUE) };
    let slow = Consumer::new(&world.broker, &world.db, spec.clone()).on(move |delivery: Delivery<UserRegistered>| {
        let (db, (begun, gate)) = (db.clone(), hand.clone());
        async move {
            begun.notify_one();
            gate.notified().await;
            apply(&db, QUEUE, &delivery).await.map(drop)
        }
    });
    let consuming = world.consume(slow, QUEUE).await;
    let relaying = world.relay();
    for _ in 0..5 {
        world.change(uuid(), 1).await;
    }
    within("the first is being handled", begun.notified()).await;
    eventually("all are published", async || world.ids("outbox_events").await.is_empty()).await;

    consuming.tell_to_stop();
    gate.notify_one();
    consuming.stop().await;
    assert_eq!(world.ids("effects").await.len(), 1);
    eventually("the rest is back", async || world.depth(QUEUE).await == 4).await;

    let (consumer, mut count) = world.effects(spec);
    let consuming = world.consume(consumer, QUEUE).await;
    counted(&mut count, 4).await;
    consuming.stop().await;
    relaying.stop().await;
    world.check_sets(&[QUEUE]).await;
}

/// A dependency of the test's making.
struct Dependency(Arc<AtomicBool>);

impl HealthCheck for Dependency {
    fn name(&self) -> &'static str {
        "dependency"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let well = self.0.load(Ordering::SeqCst);
        async move { if well { Ok(()) } else { Err("it is down".into()) } }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_dependency_is_down_messages_wait_in_hand() {
    let world = World::new().await;
    let well = Arc::new(AtomicBool::new(true));
    let (calls, paused) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (done, mut count) = watch::channel(0);
    let handler = {
        let (db, well, calls, paused) = (world.db.clone(), Arc::clone(&well), Arc::clone(&calls), Arc::clone(&paused));
        move |delivery: Delivery<UserRegistered>| {
            let (db, well, done) = (db.clone(), Arc::clone(&well), done.clone());
            let (calls, paused) = (Arc::clone(&calls), Arc::clone(&paused));
            async move {
                calls.fetch_add(1, Ordering::SeqCst);
                assert_eq!(delivery.attempt, 1, "waiting used up an attempt");
                if !well.load(Ordering::SeqCst) {
                    paused.notify_one();
                    return Err(Failure::pause(anyhow!("it is down")));
                }
                apply(&db, QUEUE, &delivery).await?;
                done.send_modify(|count| *count += 1);
                Ok(())
            }
        }
    };
    let consumer =
        Consumer::new(&world.broker, &world.db, ConsumerSpec { concurrency: 1, ..ConsumerSpec::projection(QUEUE) })
            .depends_on(Arc::new(Dependency(Arc::clone(&well))))
            .on(handler);
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    counted(&mut count, 1).await;

    well.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        world.change(uuid(), 1).await;
    }
    within("the consumer pauses", paused.notified()).await;
    let while_down = calls.load(Ordering::SeqCst);
    // Long enough for several rounds, if there were any.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(calls.load(Ordering::SeqCst), while_down, "the handler was called while its dependency was ill");

    well.store(true, Ordering::SeqCst);
    counted(&mut count, 4).await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_other_types_do_not_come() {
    let world = World::new().await;
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let (disabled, mut heard) = watch::channel(0);
    let other = Consumer::new(&world.broker, &world.db, ConsumerSpec::projection("probe.disabled")).on(
        move |_: Delivery<UserDisabled>| {
            disabled.send_modify(|count| *count += 1);
            async { Ok(()) }
        },
    );
    let consuming = world.consume(consumer, QUEUE).await;
    let other = world.consume(other, "probe.disabled").await;
    let relaying = world.relay();
    let subject = uuid();
    world.change(subject, 1).await;
    world.append(UserDisabled { user_id: subject.to_string(), ..UserDisabled::default() }).await;
    counted(&mut count, 1).await;
    counted(&mut heard, 1).await;
    assert_eq!((*count.borrow(), *heard.borrow()), (1, 1));
    for task in [relaying, consuming, other] {
        task.stop().await;
    }
    world.check_sets(&[QUEUE, "probe.disabled"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_handled_is_unbound_and_dropped() {
    let world = World::new().await;
    let spec = || ConsumerSpec::projection(QUEUE);
    let earlier = Consumer::new(&world.broker, &world.db, spec()).on(async |_: Delivery<UserRegistered>| Ok(()));
    world.consume(earlier, QUEUE).await.stop().await;
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    eventually("it waits in the queue", async || world.depth(QUEUE).await == 1).await;

    let now = Consumer::new(&world.broker, &world.db, spec())
        .on(async |_: Delivery<UserDisabled>| Ok(()))
        .no_longer::<UserRegistered>();
    let consuming = world.consume(now, QUEUE).await;
    eventually("it is dropped", async || world.depth(QUEUE).await == 0).await;
    consuming.stop().await;
    world.change(uuid(), 1).await;
    eventually("it is published", async || world.ids("outbox_events").await.is_empty()).await;
    assert_eq!((world.depth(QUEUE).await, world.dead(QUEUE).await), (0, 0));
    relaying.stop().await;
}
