//! Requests with an Idempotency-Key: one effect, one answer.

use contracts::{OrgId, UserId};
use db::{
    Error,
    diesel::PgConnection,
    idempotency::{self, Answer, Answered, LARGEST_BODY, Request},
};
use kit::Coded;
use tokio::task::JoinSet;

use crate::support::*;

fn request(org: OrgId, user: UserId, key: &str, body: &str) -> Request {
    Request::new(Some(org), Some(user), "POST /v1/notes", key, *blake3::hash(body.as_bytes()).as_bytes())
}

fn answer(title: &str) -> Answer {
    Answer {
        status: 201,
        headers: vec![("location".into(), format!("/v1/notes/{title}"))],
        body: format!("{{\"title\":\"{title}\"}}").into_bytes(),
    }
}

/// The use case: adds a note and answers.
fn create(c: &mut PgConnection, request: Request, org: OrgId, title: &str) -> Result<Answered, Error> {
    idempotency::once(c, Some(request), |c| {
        note(c, org, title)?;
        Ok(answer(title))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_at_once_take_effect_once() {
    let database = Database::new().await;
    let db = database.open(8);
    let (acme, ann) = (org(), user());
    let mut all = JoinSet::new();
    for n in 0..50 {
        let db = db.clone();
        all.spawn(async move {
            db.tenant(acme)
                .tx(move |c| {
                    idempotency::once(c, Some(request(acme, ann, "k", "body")), |c| {
                        run(c, "SELECT pg_sleep(0.05)")?;
                        note(c, acme, &format!("request {n}"))?;
                        Ok::<_, Error>(answer("a"))
                    })
                })
                .await
        });
    }
    let (mut fresh, mut replayed, mut in_flight) = (0, 0, 0);
    for outcome in all.join_all().await {
        match outcome {
            Ok(Answered { answer: given, replayed: again }) => {
                assert_eq!(given, answer("a"));
                if again { replayed += 1 } else { fresh += 1 }
            }
            Err(error @ Error::IdempotencyInFlight) => {
                assert_eq!((error.code().status, error.retry_after().is_some()), (409, true));
                in_flight += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((fresh, replayed + in_flight), (1, 49));
    assert!(in_flight > 0, "those in the first transactions met each other");
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1);
}

#[tokio::test]
async fn a_repetition_gets_the_same_answer_and_changes_nothing() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, ann) = (org(), user());
    let post = move |body: &'static str, title: &'static str| {
        move |c: &mut _| create(c, request(acme, ann, "k", body), acme, title)
    };
    let first = db.tenant(acme).tx(post("body", "a")).await.unwrap();
    assert_eq!(first, Answered { answer: answer("a"), replayed: false });
    let second = db.tenant(acme).tx(post("body", "b")).await.unwrap();
    assert_eq!(second, Answered { answer: answer("a"), replayed: true });
    let other_body = db.tenant(acme).tx(post("another body", "c")).await.unwrap_err();
    assert!(matches!(other_body, Error::IdempotencyMismatch));
    assert_eq!((other_body.code().code, other_body.code().status), ("idempotency_mismatch", 422));
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1);
}

#[tokio::test]
async fn keys_of_others_and_of_other_routes_are_other_keys() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, umbrella, ann, bob) = (org(), org(), user(), user());
    for (org, user, route) in [
        (acme, ann, "POST /v1/notes"),
        (acme, bob, "POST /v1/notes"),
        (umbrella, ann, "POST /v1/notes"),
        (acme, ann, "POST /v1/x"),
    ] {
        let outcome = db
            .tenant(org)
            .tx(move |c| {
                let request = Request::new(Some(org), Some(user), route, "k", [7; 32]);
                idempotency::once(c, Some(request), |_| Ok::<_, Error>(answer("a")))
            })
            .await
            .unwrap();
        assert!(!outcome.replayed, "{route}");
    }
    // And nobody reads the stored answers of another organization.
    let stored = |c: &mut _| Ok::<_, Error>(number(c, "SELECT count(*) FROM idempotency_keys")?);
    assert_eq!(db.tenant(acme).tx(stored).await.unwrap(), 3);
    assert_eq!(db.tenant(umbrella).tx(stored).await.unwrap(), 1);
    assert_eq!(db.person(ann).tx(stored).await.unwrap(), 3);
    assert_eq!(db.tenant(org()).tx(stored).await.unwrap(), 0);
}

#[tokio::test]
async fn a_failure_stores_nothing_and_frees_the_key() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, ann) = (org(), user());
    let failed: Result<Answered, Error> = db
        .tenant(acme)
        .tx(move |c| {
            idempotency::once(c, Some(request(acme, ann, "k", "body")), |c| {
                note(c, acme, "a")?;
                Err(Error::NotFound)
            })
        })
        .await;
    assert!(failed.is_err());
    let again = db.tenant(acme).tx(move |c| create(c, request(acme, ann, "k", "body"), acme, "a")).await.unwrap();
    assert!(!again.replayed);
}

#[tokio::test]
async fn an_answer_is_forgotten_after_a_day() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, ann) = (org(), user());
    let post = move |title: &'static str| move |c: &mut _| create(c, request(acme, ann, "k", title), acme, title);
    db.tenant(acme).tx(post("a")).await.unwrap();
    run(&mut database.admin(), "UPDATE idempotency_keys SET created_at = now() - interval '23 hours 59 minutes'")
        .unwrap();
    assert!(db.tenant(acme).tx(post("a")).await.unwrap().replayed);
    run(&mut database.admin(), "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'")
        .unwrap();
    assert!(!db.tenant(acme).tx(post("b")).await.unwrap().replayed, "also with another body");
    assert!(db.tenant(acme).tx(post("b")).await.unwrap().replayed, "and the new answer took its place");
}

#[tokio::test]
async fn an_answer_too_large_to_repeat_is_not_given() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, ann) = (org(), user());
    let post = move |bytes: usize| {
        move |c: &mut _| {
            idempotency::once(c, Some(request(acme, ann, "k", "body")), |c| {
                note(c, acme, "a")?;
                Ok::<_, Error>(Answer { body: vec![b' '; bytes], ..answer("a") })
            })
        }
    };
    assert!(matches!(db.tenant(acme).tx(post(LARGEST_BODY + 1)).await, Err(Error::Setup(_))));
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 0);
    assert!(db.tenant(acme).tx(post(LARGEST_BODY)).await.is_ok());
}

#[tokio::test]
async fn without_a_key_it_just_runs() {
    let database = Database::new().await;
    let db = database.open(1);
    let acme = org();
    for title in ["a", "b"] {
        let outcome = db
            .tenant(acme)
            .tx(move |c| {
                idempotency::once(c, None, |c| {
                    note(c, acme, title)?;
                    Ok::<_, Error>(answer(title))
                })
            })
            .await
            .unwrap();
        assert!(!outcome.replayed);
    }
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 2);
}
