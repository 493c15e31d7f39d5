use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;
use contracts::auth::v1::UserRegistered;
use contracts::{CloudEvent, Origin};
use events::{Consumer, ConsumerSpec, Delivery, Error, Failure, dlq};
use futures_util::StreamExt;
use kit::NewId;
use lapin::BasicProperties;
use lapin::options::{BasicConsumeOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use tokio::sync::watch;

use crate::support::{World, apply, counted, eventually, registered, uuid, within};

const QUEUE: &str = "probe.auth";

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_message_is_kept_with_its_reason_and_redriven_to_success() {
    let world = World::new().await;
    let (mended, db) = (Arc::new(AtomicBool::new(false)), world.db.clone());
    let (done, mut count) = watch::channel(0);
    let flag = Arc::clone(&mended);
    let consumer = Consumer::new(&world.broker, &world.db, ConsumerSpec::projection(QUEUE)).on(
        move |delivery: Delivery<UserRegistered>| {
            let (db, done, mended) = (db.clone(), done.clone(), flag.load(Ordering::SeqCst));
            async move {
                if !mended && delivery.sequence % 2 == 0 {
                    return Err(Failure::fail(anyhow!("even numbers are poison")));
                }
                apply(&db, QUEUE, &delivery).await?;
                done.send_modify(|count| *count += 1);
                Ok(())
            }
        },
    );
    let consuming = world.consume(consumer, QUEUE).await;
    let relaying = world.relay();
    let origin = Origin { org: Some(world.core.ids.new()), ..Origin::system(world.core.clock.now()) };
    let mut even = Vec::new();
    for sequence in 1..=10 {
        let id = world.change_with(uuid(), sequence, origin.clone()).await;
        if sequence % 2 == 0 {
            even.push(id.to_string());
        }
    }
    counted(&mut count, 5).await;
    eventually("five are dead", async || world.dead(QUEUE).await == 5).await;

    let letters = dlq::show(&world.broker, QUEUE, 100).await.unwrap();
    let mut ids: Vec<_> = letters.iter().map(|letter| letter.id.clone()).collect();
    ids.sort();
    assert_eq!(ids, even);
    for letter in &letters {
        assert_eq!((letter.reason.as_str(), letter.redriven), ("failed", 0));
        assert_eq!(letter.attempts.len(), 1);
        assert_eq!(letter.attempts[0].error, "even numbers are poison");
        assert!(letter.died_at.is_some());
        // The original is untouched.
        let event: CloudEvent = serde_json::from_value(letter.body.clone()).unwrap();
        assert_eq!((event.id.to_string(), event.org), (letter.id.clone(), origin.org));
    }
    // Looking takes nothing away, and shows the same again.
    let again = dlq::show(&world.broker, QUEUE, 2).await.unwrap();
    assert_eq!(again.len(), 2);
    eventually("five are still there", async || world.dead(QUEUE).await == 5).await;

    // Not mended yet: it dies again and remembers.
    assert_eq!(dlq::redrive(&world.broker, QUEUE, Some(&even[0])).await.unwrap(), 1);
    eventually("it died again", async || {
        let letters = dlq::show(&world.broker, QUEUE, 100).await.unwrap();
        letters.iter().any(|letter| letter.id == even[0] && letter.redriven == 1 && letter.attempts.len() == 2)
    })
    .await;

    mended.store(true, Ordering::SeqCst);
    assert_eq!(dlq::redrive(&world.broker, QUEUE, None).await.unwrap(), 5);
    counted(&mut count, 10).await;
    let missing = dlq::redrive(&world.broker, QUEUE, Some("nobody")).await.unwrap_err();
    assert!(matches!(missing, Error::NoDeadLetter { .. }), "{missing}");
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_or_has_no_handler_is_dead_at_once() {
    let world = World::new().await;
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;

    let origin = Origin::system(world.core.clock.now());
    let event = || CloudEvent::new(world.core.ids.new(), &origin, 1, &registered(uuid())).unwrap();
    let stranger = CloudEvent { event_type: "brainops.auth.never_heard_of.v1".into(), ..event() };
    let stranger = stranger.to_json().unwrap();
    let mangled = CloudEvent { data: serde_json::json!({ "user_id": 7 }), ..event() }.to_json().unwrap();
    let messages: [(&str, &[u8]); 4] = [
        ("garbage", b"\xff no JSON"),
        ("half", br#"{"specversion":"1.0"}"#),
        ("stranger", &stranger),
        ("mangled", &mangled),
    ];
    let named = |id: &str| BasicProperties::default().with_message_id(id.into());
    world.publish(messages.map(|(id, body)| (body, named(id)))).await;

    eventually("all are dead", async || world.dead(QUEUE).await == 4).await;
    let letters = dlq::show(&world.broker, QUEUE, 10).await.unwrap();
    let mut reasons: Vec<_> = letters.iter().map(|letter| (letter.id.as_str(), letter.reason.as_str())).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [("garbage", "undecodable"), ("half", "undecodable"), ("mangled", "undecodable"), ("stranger", "unknown_type")]
    );
    let dropped = dlq::drop(&world.broker, QUEUE, "garbage").await.unwrap();
    assert_eq!(dropped.body, "\u{fffd} no JSON");
    for id in ["half", "mangled", "stranger"] {
        dlq::drop(&world.broker, QUEUE, id).await.unwrap();
    }
    // None of it stood in the way.
    let relaying = world.relay();
    world.change(uuid(), 1).await;
    counted(&mut count, 1).await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

/// The way out when we cannot publish: `basic.reject`, and the broker buries the message itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_buries_can_be_redriven_too() {
    let world = World::new().await;
    let (consumer, _) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;
    consuming.stop().await;

    let relaying = world.relay();
    let id = world.change(uuid(), 1).await;
    let connection = world.amqp().await;
    let channel = connection.create_channel().await.unwrap();
    let name = format!("{}.{QUEUE}", world.namespace);
    let mut deliveries = channel
        .basic_consume(name.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
        .unwrap();
    let delivery = within("a delivery", deliveries.next()).await.unwrap().unwrap();
    delivery.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    channel.close(200, "".into()).await.unwrap();

    let dead = within("it is dead", world.first_dead_letter(QUEUE)).await;
    assert_eq!((dead.id, dead.reason.as_str()), (id.to_string(), "rejected"));
    assert_eq!(dlq::redrive(&world.broker, QUEUE, None).await.unwrap(), 1);
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;
    counted(&mut count, 1).await;
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}
