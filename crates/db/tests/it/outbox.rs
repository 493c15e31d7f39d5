//! The outbox: nothing lost, nothing early, in order; and the relay's side of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use contracts::{Origin, auth::v1::UserRegistered};
use db::{Db, Error, diesel::PgConnection, outbox};
use kit::RandomIds;
use tokio::task::JoinSet;

use crate::support::*;

fn event(subject: &str) -> UserRegistered {
    UserRegistered { user_id: subject.to_owned(), ..UserRegistered::default() }
}

fn append(conn: &mut PgConnection, origin: &Origin, subject: &str, sequence: i64) -> Result<contracts::EventId, Error> {
    outbox::append(conn, &RandomIds, origin, sequence, &event(subject))
}

async fn session(db: &Db) -> outbox::Session {
    db.outbox_session().await.unwrap().expect("no other relay")
}

/// Claims and confirms everything; gives the subjects in order.
async fn drain(session: &mut outbox::Session) -> Vec<String> {
    let mut subjects = Vec::new();
    loop {
        let claimed = session.claim(10).await.unwrap();
        if claimed.is_empty() {
            return subjects;
        }
        session.confirm(claimed.iter().map(|claimed| claimed.position).collect()).await.unwrap();
        subjects.extend(claimed.into_iter().map(|claimed| claimed.event.subject));
    }
}

#[tokio::test]
async fn an_event_comes_out_as_it_went_in() {
    let database = Database::new().await;
    let db = database.open(1);
    let acme = org();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    let origin = Origin { actor: Some(id()), traceparent: Some(traceparent), ..origin(Some(acme)) };
    let written = origin.clone();
    let id = db.tenant(acme).tx(move |c| append(c, &written, "u-1", 7)).await.unwrap();
    let claimed = session(&db).await.claim(10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].event, contracts::CloudEvent::new(id, &origin, 7, &event("u-1")).unwrap());
}

#[tokio::test]
async fn many_events_go_in_at_once_and_come_out_in_order() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, other) = (org(), org());
    let subjects: Vec<String> = (0..6_000).map(|n| format!("u-{n:04}")).collect();
    let written = subjects.clone();
    let many = |org, subjects: Vec<String>| {
        subjects.into_iter().map(move |subject| (origin(Some(org)), 1, event(&subject))).collect::<Vec<_>>()
    };
    db.tenant(acme).tx(move |c| outbox::append_all(c, &RandomIds, many(acme, written))).await.unwrap();
    let foreign = db.tenant(acme).tx(move |c| outbox::append_all(c, &RandomIds, many(other, vec!["x".into()]))).await;
    assert!(foreign.is_err(), "of its own tenant only, as one by one");
    db.tenant(acme).tx(|c| outbox::append_all::<UserRegistered>(c, &RandomIds, [])).await.unwrap();
    assert_eq!(drain(&mut session(&db).await).await, subjects);
}

#[tokio::test]
async fn events_share_the_fate_of_their_change() {
    let database = Database::new().await;
    let db = database.open(1);
    let acme = org();
    let failed: Result<(), Error> = db
        .tenant(acme)
        .tx(move |c| {
            note(c, acme, "a")?;
            append(c, &origin(Some(acme)), "a", 1)?;
            Err(Error::NotFound)
        })
        .await;
    assert!(failed.is_err());
    db.tenant(acme)
        .tx(move |c| {
            note(c, acme, "b")?;
            append(c, &origin(Some(acme)), "b", 1)
        })
        .await
        .unwrap();
    assert_eq!(drain(&mut session(&db).await).await, ["b"]);
}

#[tokio::test]
async fn a_tenant_cannot_speak_for_another() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, umbrella) = (org(), org());
    for allowed in [Some(acme), None] {
        db.tenant(acme).tx(move |c| append(c, &origin(allowed), "x", 1)).await.unwrap();
    }
    let forged = db.tenant(acme).tx(move |c| append(c, &origin(Some(umbrella)), "x", 1)).await;
    assert!(matches!(&forged, Err(Error::Query(e)) if e.to_string().contains("row-level security")), "{forged:?}");
    db.person(user()).tx(move |c| append(c, &origin(Some(umbrella)), "x", 1)).await.unwrap();
}

/// The trap: rows become visible in another order than they were inserted in. A relay that remembers the last id would
/// pass over the first one for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_commits_after_a_later_one_is_not_lost() {
    let database = Database::new().await;
    let db = database.open(2);
    let (inserted, is_inserted) = tokio::sync::oneshot::channel();
    let (commit, may_commit) = std::sync::mpsc::channel::<()>();
    let slow = kit::tasks::spawn("test", {
        let db = db.clone();
        async move {
            db.system("test")
                .tx(move |c| {
                    append(c, &origin(None), "slow", 1)?;
                    inserted.send(()).unwrap();
                    may_commit.recv().unwrap();
                    Ok::<_, Error>(())
                })
                .await
        }
    });
    is_inserted.await.unwrap();
    db.system("test").tx(|c| append(c, &origin(None), "quick", 1)).await.unwrap();
    let mut relay = session(&db).await;
    assert_eq!(drain(&mut relay).await, ["quick"]);
    commit.send(()).unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(drain(&mut relay).await, ["slow"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_comes_out_once_and_in_the_order_of_its_aggregate() {
    let database = Database::new().await;
    let db = database.open(6);
    let acme = org();
    let mut notes = Vec::new();
    for title in ["a", "b", "c"] {
        notes.push(db.tenant(acme).tx(move |c| note(c, acme, title)).await.unwrap());
    }
    let mut relay = session(&db).await;
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let (db, id) = (db.clone(), notes[writer % notes.len()]);
        writers.spawn(async move {
            for _ in 0..20 {
                db.tenant(acme)
                    .tx(move |c| {
                        run(c, &format!("UPDATE notes SET version = version + 1 WHERE id = '{id}'"))?;
                        let version = number(c, &format!("SELECT version FROM notes WHERE id = '{id}'"))?;
                        append(c, &origin(Some(acme)), &id.to_string(), version)
                    })
                    .await
                    .unwrap();
            }
        });
    }
    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let (mut done, mut rounds) = (false, 0);
    loop {
        let claimed = relay.claim(7).await.unwrap();
        rounds += 1;
        match claimed.len() {
            0 if done => break,
            0 => done = writers.is_empty(),
            // A broker that fails every third time changes nothing.
            _ if rounds % 3 == 0 => relay.release(),
            _ => {
                relay.confirm(claimed.iter().map(|claimed| claimed.position).collect()).await.unwrap();
                for claimed in claimed {
                    seen.entry(claimed.event.subject).or_default().push(claimed.event.sequence);
                }
            }
        }
        while writers.try_join_next().is_some_and(|outcome| {
            outcome.unwrap();
            true
        }) {}
    }
    for id in notes {
        assert_eq!(seen[&id.to_string()], (2..=41).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_killed_between_publish_and_delete_leaves_its_claim_to_the_next() {
    let database = Database::new().await;
    let db = database.open(1);
    for subject in ["a", "b"] {
        db.system("test").tx(move |c| append(c, &origin(None), subject, 1)).await.unwrap();
    }
    let mut first = session(&db).await;
    let claimed = first.claim(10).await.unwrap();
    assert_eq!(claimed.len(), 2);
    // Its lock keeps others out, in this replica and in another.
    assert!(db.outbox_session().await.unwrap().is_none());
    assert!(database.open(1).outbox_session().await.unwrap().is_none());

    // The one that holds the lock: those that were refused may still be hanging up.
    let killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity JOIN pg_locks USING (pid) \
        WHERE application_name = 'brainops-dbtest-relay' AND datname = current_database() AND locktype = 'advisory' AND granted";
    assert_eq!(number(&mut database.admin(), killed).unwrap(), 1);
    let positions: Vec<_> = claimed.iter().map(|claimed| claimed.position).collect();
    assert!(matches!(first.confirm(positions).await, Err(Error::Unavailable(_))));
    assert!(matches!(first.claim(10).await, Err(Error::Unavailable(_))), "and it stays lost");
    let mut second = session(&db).await;
    let again = second.claim(10).await.unwrap();
    assert_eq!(again, claimed, "same ids, so that consumers can tell");

    // Dropped without a word, as by a panic: the same.
    drop(second);
    let mut third = None;
    eventually("the lock is free", async || {
        third = db.outbox_session().await.unwrap();
        third.is_some()
    })
    .await;
    assert_eq!(drain(&mut third.unwrap()).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_can_be_confirmed_and_the_rest_stays() {
    let database = Database::new().await;
    let db = database.open(1);
    for subject in ["a", "b", "c"] {
        db.system("test").tx(move |c| append(c, &origin(None), subject, 1)).await.unwrap();
    }
    let mut relay = session(&db).await;
    let claimed = relay.claim(10).await.unwrap();
    relay.confirm(vec![claimed[0].position, claimed[2].position]).await.unwrap();
    relay.release();
    assert_eq!(drain(&mut relay).await, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_claim_passes_over_what_is_in_hand() {
    let database = Database::new().await;
    let db = database.open(1);
    for subject in ["a", "b", "c"] {
        db.system("test").tx(move |c| append(c, &origin(None), subject, 1)).await.unwrap();
    }
    let mut relay = session(&db).await;
    let first = relay.claim(2).await.unwrap();
    let second = relay.claim(2).await.unwrap();
    let subjects = |claimed: &[outbox::Claimed]| -> Vec<_> {
        claimed.iter().map(|claimed| claimed.event.subject.clone()).collect()
    };
    assert_eq!((subjects(&first), subjects(&second)), (vec!["a".into(), "b".into()], vec!["c".into()]));
    assert_eq!(relay.claim(2).await.unwrap(), []);
    relay.confirm(vec![second[0].position]).await.unwrap();
    assert_eq!(relay.claim(2).await.unwrap(), [], "the first two are still in hand");
    relay.release();
    assert_eq!(relay.claim(2).await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_wakes_the_relay_wherever_it_was_made() {
    let database = Database::new().await;
    let (here, elsewhere) = (database.open(2), database.open(2));
    let mut relay = session(&here).await;
    assert!(!relay.wait(Duration::from_millis(50)).await.unwrap(), "nothing to wake for");
    for (db, name) in [(&here, "here"), (&elsewhere, "elsewhere")] {
        for _ in 0..3 {
            let writer = kit::tasks::spawn("test", {
                let db = db.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    db.system("test").tx(move |c| append(c, &origin(None), name, 1)).await.unwrap();
                    Instant::now()
                }
            });
            assert!(relay.wait(Duration::from_secs(5)).await.unwrap(), "{name}");
            let woken = Instant::now();
            let late = woken.saturating_duration_since(writer.await.unwrap());
            assert!(late < Duration::from_millis(250), "{name}: {late:?}");
            assert_eq!(drain(&mut relay).await, [name]);
        }
    }
    // What changes nothing in the outbox wakes nobody.
    here.tenant(org()).tx(notes).await.unwrap();
    elsewhere.tenant(org()).tx(notes).await.unwrap();
    assert!(!relay.wait(Duration::from_millis(100)).await.unwrap());
    // When the relay moves to another replica, commits of this one go through Postgres.
    drop(relay);
    let mut moved = None;
    eventually("the lock is free", async || {
        moved = elsewhere.outbox_session().await.unwrap();
        moved.is_some()
    })
    .await;
    let mut moved = moved.unwrap();
    here.system("test").tx(|c| append(c, &origin(None), "here", 1)).await.unwrap();
    assert!(moved.wait(Duration::from_secs(5)).await.unwrap());
}

#[tokio::test]
async fn the_age_of_the_oldest_event_is_known() {
    let database = Database::new().await;
    let db = database.open(1);
    let mut relay = session(&db).await;
    assert_eq!(relay.oldest_age().await.unwrap(), None);
    db.system("test").tx(|c| append(c, &origin(None), "old", 1)).await.unwrap();
    db.system("test").tx(|c| append(c, &origin(None), "new", 1)).await.unwrap();
    run(
        &mut database.admin(),
        "UPDATE outbox_events SET created_at = now() - interval '90 seconds' WHERE aggregate_id = 'old'",
    )
    .unwrap();
    let age = relay.oldest_age().await.unwrap().unwrap();
    assert!((90..100).contains(&age.as_secs()), "{age:?}");
}
