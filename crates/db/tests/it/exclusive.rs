//! Work of one replica at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use db::Error;
use tokio::{sync::oneshot, task::JoinSet};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_one_works_at_a_time_and_each_gets_its_turn() {
    let database = Database::new().await;
    let (at_work, turns) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut all = JoinSet::new();
    for _ in 0..3 {
        let (db, at_work, turns) = (database.open(1), Arc::clone(&at_work), Arc::clone(&turns));
        all.spawn(async move {
            db.exclusively("report", async {
                assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0, "alone");
                tokio::time::sleep(Duration::from_millis(50)).await;
                at_work.fetch_sub(1, Ordering::SeqCst);
                turns.fetch_add(1, Ordering::SeqCst);
            })
            .await
        });
    }
    for outcome in all.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(turns.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_the_lock_stops() {
    let database = Database::new().await;
    let db = database.open(1);
    let (begin, has_begun) = oneshot::channel();
    let worker = kit::tasks::spawn("test", async move {
        db.exclusively("report", async {
            begin.send(()).unwrap();
            std::future::pending::<()>().await;
        })
        .await
    });
    has_begun.await.unwrap();
    let started = Instant::now();
    let killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'brainops-dbtest-report' \
        AND datname = current_database()";
    assert_eq!(number(&mut database.admin(), killed).unwrap(), 1);
    assert!(matches!(worker.await.unwrap(), Err(Error::Unavailable(_))));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn locks_have_names() {
    let database = Database::new().await;
    let db = database.open(1);
    let (mut one, mut two) = (db.dedicated("one").await.unwrap(), db.dedicated("two").await.unwrap());
    assert!(one.try_lock("a").await.unwrap());
    assert!(!two.try_lock("a").await.unwrap());
    assert!(two.try_lock("b").await.unwrap());
    drop(one);
    eventually("the lock goes with its connection", async || two.try_lock("a").await.unwrap()).await;
}

#[tokio::test]
async fn a_dedicated_connection_is_the_system_role_throughout() {
    let database = Database::new().await;
    let mut conn = database.open(1).dedicated("one").await.unwrap();
    conn.begin().await.unwrap();
    let acme = org();
    conn.run(move |c| note(c, acme, "a")).await.unwrap();
    assert_eq!(conn.run(notes).await.unwrap(), 1);
    conn.rollback().await.unwrap();
    assert_eq!(conn.run(notes).await.unwrap(), 0);
    conn.begin().await.unwrap();
    conn.run(move |c| note(c, acme, "a")).await.unwrap();
    conn.commit().await.unwrap();
    assert_eq!(conn.run(notes).await.unwrap(), 1);
}
