use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contracts::EventId;
use contracts::auth::v1::UserRegistered;
use db::diesel::{self, Connection, RunQueryDsl};
use events::{Consumer, ConsumerSpec, Delivery, Relay, Tail};
use tokio::sync::{mpsc, watch};

use crate::support::{World, apply, counted, eventually, run, uuid, within};

const QUEUE: &str = "probe.auth";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_reads_is_counted_and_gone() {
    let world = World::new().await;
    let relaying = world.relay();
    for _ in 0..3 {
        world.append(crate::support::registered(uuid())).await;
    }
    eventually("the outbox is empty", async || world.ids("outbox_events").await.is_empty()).await;
    relaying.stop().await;
    let metrics = kit::metrics::render();
    for name in ["events_returned_total", "events_published_total"] {
        let line = format!("{name}{{service=\"probe\",type=\"brainops.auth.user_registered.v1\"}} 3");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_change_publishes_nothing() {
    let world = World::new().await;
    let mut tail = Tail::open(&world.broker, &["#"]).await.unwrap();
    let relaying = world.relay();
    let ids = Arc::clone(&world.core.ids);
    let origin = contracts::Origin::system(world.core.clock.now());
    let scope = world.db.system("test");
    let rolled_back = scope.tx(move |conn| {
        db::outbox::append(conn, &*ids, &origin, 1, &crate::support::registered(uuid()))?;
        Err::<(), _>(db::Error::NotFound)
    });
    assert!(rolled_back.await.is_err());
    let id = world.append(crate::support::registered(uuid())).await;
    assert_eq!(within("the committed one", tail.next()).await.unwrap().id, id);
    relaying.stop().await;
    world.check_sets(&[]).await;
}

/// More than the relay has under way at a time, so that one batch is claimed and sent while others wait for their confirms.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_many_batches_is_published_in_order_and_once() {
    const EVENTS: usize = 2600;
    let world = World::new().await;
    let mut tail = Tail::open(&world.broker, &["#"]).await.unwrap();
    let subjects: Vec<_> = (0..7).map(|_| uuid()).collect();
    let (ids, appended) = (Arc::clone(&world.core.ids), subjects.clone());
    let origin = contracts::Origin::system(world.core.clock.now());
    let append = move |conn: &mut diesel::PgConnection| {
        for (turn, subject) in appended.iter().cycle().take(EVENTS).enumerate() {
            let event = crate::support::registered(*subject);
            db::outbox::append(conn, &*ids, &origin, i64::try_from(turn).unwrap(), &event)?;
        }
        Ok::<_, db::Error>(())
    };
    world.db.system("test").tx(append).await.unwrap();
    let relaying = world.relay();
    for turn in 0..EVENTS {
        let event = within("the next event", tail.next()).await.unwrap();
        assert_eq!(event.sequence, i64::try_from(turn).unwrap());
    }
    eventually("the outbox is empty", async || world.ids("outbox_events").await.is_empty()).await;
    relaying.stop().await;
}

/// The relay is killed when the broker has the events and the outbox still has the rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_killed_between_publish_and_delete_repeats_and_nothing_happens_twice() {
    const CHANGES: usize = 20;
    let world = World::new().await;
    let (sender, mut delivered) = mpsc::unbounded_channel::<EventId>();
    let db = world.db.clone();
    let consumer = Consumer::new(&world.broker, &world.db, ConsumerSpec::projection(QUEUE)).on(
        move |delivery: Delivery<UserRegistered>| {
            let (db, sender) = (db.clone(), sender.clone());
            async move {
                apply(&db, QUEUE, &delivery).await?;
                let _ = sender.send(delivery.id);
                Ok(())
            }
        },
    );
    let consuming = world.consume(consumer, QUEUE).await;
    for _ in 0..CHANGES {
        world.change(uuid(), 1).await;
    }

    // SHARE lets the relay lock and read rows, and keeps it from deleting them.
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let url = world.admin_url.clone();
    let locking = tokio::task::spawn_blocking(move || {
        let mut conn = diesel::PgConnection::establish(&url).unwrap();
        conn.transaction(|conn| {
            diesel::sql_query("LOCK TABLE probe.outbox_events IN SHARE MODE").execute(conn)?;
            locked.send(()).unwrap();
            released.recv().unwrap();
            Ok::<_, diesel::result::Error>(())
        })
        .unwrap();
    });
    is_locked.await.unwrap();
    let first = world.relay();
    let mut times = HashMap::<EventId, usize>::new();
    for _ in 0..CHANGES {
        *times.entry(within("the first delivery", delivered.recv()).await.unwrap()).or_default() += 1;
    }
    assert!(times.values().all(|&times| times == 1));
    eventually("the relay hangs in its delete", async || blocked_deletes(&world).await == 1).await;
    // A killed process takes its connection with it.
    first.kill().await;
    world
        .admin(|conn| {
            diesel::sql_query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE 'DELETE%outbox_events%'",
            )
            .execute(conn)
            .unwrap()
        })
        .await;
    release.send(()).unwrap();
    locking.await.unwrap();
    assert_eq!(world.ids("outbox_events").await.len(), CHANGES, "nothing was deleted");

    let second = world.relay();
    for _ in 0..CHANGES {
        *times.entry(within("the second delivery", delivered.recv()).await.unwrap()).or_default() += 1;
    }
    assert!(times.len() == CHANGES && times.values().all(|&times| times == 2), "{times:?}");
    second.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

async fn blocked_deletes(world: &World) -> usize {
    world
        .admin(|conn| {
            diesel::sql_query(
                "SELECT pid FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE 'DELETE%outbox_events%'",
            )
            .execute(conn)
            .unwrap()
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_relays_one_works_and_the_other_takes_over() {
    let world = World::new().await;
    let mut tail = Tail::open(&world.broker, &["#"]).await.unwrap();
    let (consumer, mut count) = world.effects(ConsumerSpec::projection(QUEUE));
    let consuming = world.consume(consumer, QUEUE).await;
    let first = world.relay();
    world.change(uuid(), 1).await;
    counted(&mut count, 1).await;

    // The first holds the lock now. The second stands by while both could reach everything.
    let second = run(Relay::new(&world.db, &world.replica()).task());
    for _ in 0..50 {
        world.change(uuid(), 1).await;
    }
    counted(&mut count, 51).await;
    assert_eq!(relay_locks(&world).await, 1, "both hold the lock");

    first.kill().await;
    for _ in 0..50 {
        world.change(uuid(), 1).await;
    }
    counted(&mut count, 101).await;
    second.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;

    // Published once each: two at work would have repeated some. The kill may repeat what was in hand.
    let mut seen = HashMap::<EventId, usize>::new();
    while seen.len() < 101 {
        *seen.entry(within("all events", tail.next()).await.unwrap().id).or_default() += 1;
    }
    assert_eq!(*count.borrow(), 101);
}

async fn relay_locks(world: &World) -> usize {
    world
        .admin(|conn| {
            diesel::sql_query(
                "SELECT 1 AS held FROM pg_locks JOIN pg_database ON pg_database.oid = database \
                 WHERE locktype = 'advisory' AND granted AND datname = current_database()",
            )
            .execute(conn)
            .unwrap()
        })
        .await
}

/// The consumer is killed when its effect is committed and the message not acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_killed_between_commit_and_ack_has_one_effect() {
    let world = World::new().await;
    let (sender, mut committed) = mpsc::unbounded_channel();
    let db = world.db.clone();
    let spec = ConsumerSpec { concurrency: 8, ..ConsumerSpec::projection(QUEUE) };
    let dying = Consumer::new(&world.broker, &world.db, spec.clone()).on(move |delivery: Delivery<UserRegistered>| {
        let (db, sender) = (db.clone(), sender.clone());
        async move {
            apply(&db, QUEUE, &delivery).await?;
            let _ = sender.send(());
            std::future::pending().await
        }
    });
    let consuming = world.consume(dying, QUEUE).await;
    let relaying = world.relay();
    for _ in 0..20 {
        world.change(uuid(), 1).await;
    }
    // At least one lane; each hangs after its first commit.
    within("an effect is committed", committed.recv()).await.unwrap();
    consuming.kill().await;
    let before = world.ids("effects").await.len();
    assert!(before >= 1);

    let db = world.db.clone();
    let (deliveries, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (done, mut count) = watch::channel(0);
    let (all, known) = (Arc::clone(&deliveries), Arc::clone(&again));
    let consumer = Consumer::new(&world.broker, &world.db, spec).on(move |delivery: Delivery<UserRegistered>| {
        let (db, done, all, known) = (db.clone(), done.clone(), Arc::clone(&all), Arc::clone(&known));
        async move {
            all.fetch_add(1, Ordering::SeqCst);
            if apply(&db, QUEUE, &delivery).await?.is_none() {
                known.fetch_add(1, Ordering::SeqCst);
            }
            done.send_modify(|count| *count += 1);
            Ok(())
        }
    });
    let consuming = world.consume(consumer, QUEUE).await;
    counted(&mut count, 20).await;
    assert!(again.load(Ordering::SeqCst) >= 1, "no message came a second time");
    relaying.stop().await;
    consuming.stop().await;
    world.check_sets(&[QUEUE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_shows_its_age_while_the_broker_is_away() {
    let world = World::without_broker().await;
    for _ in 0..3 {
        world.append(crate::support::registered(uuid())).await;
    }
    let relaying = world.relay();
    eventually("the gauges tell", async || {
        let metrics = kit::metrics::render();
        let age = metrics
            .lines()
            .find_map(|line| line.strip_prefix("outbox_oldest_seconds{service=\"probe\"} "))
            .and_then(|age| age.parse::<u64>().ok());
        age.is_some_and(|age| age >= 1) && metrics.contains("outbox_pending{service=\"probe\"} 3")
    })
    .await;
    assert_eq!(world.ids("outbox_events").await.len(), 3);
    within("a stop in the middle of that", async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        relaying.stop().await;
    })
    .await;
}
