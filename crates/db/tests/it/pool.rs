//! The pool under load, under failure, and the transactions that run on it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use db::Error;
use kit::{Coded, HealthCheck};
use localinfra::{Postgres, PostgresOptions};
use tokio::{sync::oneshot, task::JoinSet};

use crate::support::*;

/// A transaction that lasts until the sender is dropped; it has begun when this returns.
async fn occupy(db: &db::Db) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begin, has_begun) = oneshot::channel();
    let db = db.clone();
    kit::tasks::spawn("occupy", async move {
        db.system("test")
            .tx(move |_| {
                begin.send(()).unwrap();
                let _ = released.recv();
                Ok::<_, Error>(())
            })
            .await
    });
    has_begun.await.unwrap();
    release
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_refuses_after_two_seconds_and_serves_again() {
    let database = Database::new().await;
    let db = database.open(2);
    let held = [occupy(&db).await, occupy(&db).await];
    let started = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let db = db.clone();
        waiting.spawn(async move { db.tenant(org()).tx(notes).await });
    }
    while let Some(outcome) = waiting.join_next().await {
        let error = outcome.unwrap().unwrap_err();
        assert!(matches!(error, Error::Busy), "{error:?}");
        assert_eq!((error.code().code, error.code().status), ("database_busy", 503));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    }
    let waited = started.elapsed();
    assert!((Duration::from_millis(1900)..Duration::from_millis(3500)).contains(&waited), "{waited:?}");
    let served = kit::metrics::render();
    assert!(served.contains(r#"db_pool_busy_total{service="dbtest"} 20"#), "{served}");
    assert!(served.contains(r#"db_pool_in_use{service="dbtest"} 2"#), "{served}");
    drop(held);
    assert_eq!(db.tenant(org()).tx(notes).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_transaction_gets_the_next_free_connection() {
    let database = Database::new().await;
    let db = database.open(1);
    let held = occupy(&db).await;
    let waiting = kit::tasks::spawn("test", {
        let db = db.clone();
        async move { db.tenant(org()).tx(notes).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    drop(held);
    assert_eq!(waiting.await.unwrap().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_while_idle_are_replaced_unnoticed() {
    let database = Database::new().await;
    let db = database.open(4);
    // All four exist.
    let held = [occupy(&db).await, occupy(&db).await, occupy(&db).await, occupy(&db).await];
    drop(held);
    eventually("all are idle", async || number(&mut database.admin(), ACTIVE).unwrap() == 0).await;
    for _ in 0..5 {
        let killed = number(
            &mut database.admin(),
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'brainops_dbtest_app' \
             AND datname = current_database()",
        );
        assert!(killed.unwrap() >= 1);
        let mut all = JoinSet::new();
        for _ in 0..8 {
            let db = db.clone();
            all.spawn(async move { db.tenant(org()).tx(notes).await });
        }
        while let Some(outcome) = all.join_next().await {
            assert_eq!(outcome.unwrap().unwrap(), 0);
        }
    }
}

const ACTIVE: &str = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'brainops_dbtest_app' \
    AND datname = current_database() AND state <> 'idle'";

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgres_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Postgres::start(dir.path(), PostgresOptions::for_tests()).unwrap();
    let database = Database::on(&server.admin_url(), None);
    database.prepare().await;
    let db = database.open(3);
    let acme = org();
    db.tenant(acme).tx(move |c| note(c, acme, "before")).await.unwrap();
    db.check().await.unwrap();

    server.restart().unwrap();
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1, "the first transaction after the restart works");

    // Lost in the middle of a transaction: an error by name, and the change is not there.
    server.kill();
    let outcome = db.tenant(acme).tx(move |c| note(c, acme, "while down")).await.unwrap_err();
    assert!(matches!(outcome, Error::Unavailable(_)), "{outcome:?}");
    assert_eq!((outcome.code().code, outcome.is_transient()), ("database_unavailable", true));
    let sick = db.check().await.unwrap_err();
    assert!(sick.starts_with("cannot be reached") && !sick.contains("app-password"), "{sick}");

    server.restart().unwrap();
    eventually("it serves again", async || db.tenant(acme).tx(notes).await.is_ok()).await;
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1);
    db.check().await.unwrap();

    // A server that hangs holds the transactions that are in it; the others are refused in time, and readiness ends.
    server.pause();
    let hung = (0..3).map(|_| {
        kit::tasks::spawn("test", {
            let db = db.clone();
            async move { db.tenant(acme).tx(notes).await }
        })
    });
    let hung: Vec<_> = hung.collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    assert!(matches!(db.tenant(acme).tx(notes).await, Err(Error::Busy)));
    assert!(started.elapsed() < Duration::from_millis(3500));
    eventually("readiness ends", async || db.check().await.is_err()).await;
    server.resume();
    for hung in hung {
        // Whoever had a connection gets its answer late; whoever was opening one was refused meanwhile.
        let outcome = hung.await.unwrap();
        assert!(matches!(outcome, Ok(1) | Err(Error::Busy | Error::Unavailable(_))), "{outcome:?}");
    }
    eventually("it serves again", async || db.tenant(acme).tx(notes).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_inside_a_transaction_is_unavailable_and_not_retried() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, runs) = (org(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&runs);
    let outcome: Result<(), Error> = db
        .tenant(acme)
        .tx_retrying(move |c| {
            counted.fetch_add(1, Ordering::Relaxed);
            note(c, acme, "a")?;
            Ok(run(c, "SELECT pg_terminate_backend(pg_backend_pid())").map(drop)?)
        })
        .await;
    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 0, "the pool is whole and the change is not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_rolls_back_and_reaches_the_caller() {
    let database = Database::new().await;
    let db = database.open(1);
    let acme = org();
    let panicked = kit::tasks::spawn("test", {
        let db = db.clone();
        async move {
            db.tenant(acme)
                .tx::<(), Error, _>(move |c| {
                    note(c, acme, "a")?;
                    panic!("on purpose")
                })
                .await
        }
    });
    let panic = panicked.await.unwrap_err().into_panic();
    assert_eq!(kit::tasks::panic_message(&*panic), "on purpose");
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_does_not_leave_a_transaction_open() {
    let database = Database::new().await;
    let db = database.open(1);
    let acme = org();
    let (begin, has_begun) = oneshot::channel();
    let left = kit::tasks::spawn("test", {
        let db = db.clone();
        async move {
            db.tenant(acme)
                .tx(move |c| {
                    begin.send(()).unwrap();
                    run(c, "SELECT pg_sleep(0.3)")?;
                    note(c, acme, "a")
                })
                .await
        }
    });
    has_begun.await.unwrap();
    left.abort();
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1, "it ran to its end, and the turn came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn serialization_failures_are_retried_when_asked() {
    let database = Database::new().await;
    let db = database.open(4);
    let acme = org();
    db.tenant(acme).tx(move |c| note(c, acme, "a")).await.unwrap();
    let increments = |retrying: bool| {
        let (db, started) = (db.clone(), Arc::new(std::sync::Barrier::new(2)));
        async move {
            let mut all = JoinSet::new();
            for _ in 0..2 {
                let (db, started) = (db.clone(), Arc::clone(&started));
                let first = Mutex::new(Some(started));
                let work = move |c: &mut _| {
                    let version = number(c, "SELECT version FROM notes")?;
                    // Both have read before either writes, the first time round.
                    if let Some(started) = first.lock().unwrap().take() {
                        started.wait();
                    }
                    run(c, &format!("UPDATE notes SET version = {}", version + 1))?;
                    Ok::<_, Error>(())
                };
                all.spawn(async move {
                    let scope = db.tenant(acme).serializable();
                    if retrying { scope.tx_retrying(work).await } else { scope.tx(work).await }
                });
            }
            all.join_all().await
        }
    };
    let plain = increments(false).await;
    assert_eq!(plain.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(plain.iter().any(|outcome| matches!(outcome, Err(Error::Serialization(_)))), "{plain:?}");
    let retried = increments(true).await;
    assert!(retried.iter().all(Result::is_ok), "{retried:?}");
    let version = db.tenant(acme).tx(|c| Ok::<_, Error>(number(c, "SELECT version FROM notes")?)).await.unwrap();
    assert_eq!(version, 1 + 1 + 2, "each success counted once");
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlocks_are_retried_when_asked() {
    let database = Database::new().await;
    let db = database.open(2);
    let acme = org();
    db.tenant(acme).tx(move |c| note(c, acme, "a")).await.unwrap();
    db.tenant(acme).tx(move |c| note(c, acme, "b")).await.unwrap();
    let met = Arc::new(std::sync::Barrier::new(2));
    let mut all = JoinSet::new();
    for order in [["a", "b"], ["b", "a"]] {
        let (db, first) = (db.clone(), Mutex::new(Some(Arc::clone(&met))));
        all.spawn(async move {
            db.tenant(acme)
                .tx_retrying(move |c| {
                    let update = |title| format!("UPDATE notes SET version = version + 1 WHERE title = '{title}'");
                    run(c, &update(order[0]))?;
                    if let Some(met) = first.lock().unwrap().take() {
                        met.wait();
                    }
                    run(c, &update(order[1]))?;
                    Ok::<_, Error>(())
                })
                .await
        });
    }
    let outcomes = all.join_all().await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let sum = db.tenant(acme).tx(|c| Ok::<_, Error>(number(c, "SELECT sum(version) FROM notes")?)).await.unwrap();
    assert_eq!(sum, 2 + 4, "each transaction counted once");
}
