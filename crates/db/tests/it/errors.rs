//! Failures by their names.

use db::{Error, diesel, diesel::prelude::*};
use kit::Coded;

use crate::support::*;

async fn failure(db: &db::Db, statements: &'static [&'static str]) -> Error {
    db.system("test")
        .tx(move |c| {
            for statement in statements {
                run(c, statement)?;
            }
            Ok(())
        })
        .await
        .map(|()| statements)
        .unwrap_err()
}

#[tokio::test]
async fn constraints_are_named() {
    const ID: &str = "'00000000-0000-7000-8000-000000000001'";
    const INSERT: &str = "INSERT INTO notes (id, org_id, title) VALUES ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002', 't')";
    let database = Database::new().await;
    let db = database.open(1);
    let twice = failure(&db, &[INSERT, INSERT]).await;
    assert!(matches!(&twice, Error::Conflict { constraint } if constraint == "notes_pkey"), "{twice:?}");
    assert_eq!((twice.code().status, twice.code().code), (409, "conflict"));
    assert!(!twice.to_string().contains(ID));

    let orphan =
        failure(&db, &["INSERT INTO remarks VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid())"]).await;
    assert!(matches!(&orphan, Error::Reference { constraint } if constraint == "remarks_note_fk"), "{orphan:?}");

    let long = failure(
        &db,
        &["INSERT INTO notes VALUES (gen_random_uuid(), gen_random_uuid(), 'longer than twenty characters')"],
    )
    .await;
    assert!(matches!(&long, Error::Check { constraint } if constraint == "notes_title_check"), "{long:?}");
    assert_eq!(long.code().status, 500, "validation should have caught it");

    let null = failure(&db, &["INSERT INTO notes VALUES (gen_random_uuid(), NULL, 't')"]).await;
    assert!(matches!(&null, Error::Check { constraint } if constraint == "org_id"), "{null:?}");

    let broken = failure(&db, &["SELECT nonsense"]).await;
    assert!(matches!(broken, Error::Query(_)));
    assert_eq!(broken.code().code, "internal_error");
}

#[tokio::test]
async fn a_missing_row_is_not_found() {
    let database = Database::new().await;
    let outcome: Result<i64, Error> = database
        .open(1)
        .system("test")
        .tx(|c| Ok(diesel::sql_query("SELECT 1 WHERE false").get_result::<Never>(c).map(|row| row.n)?))
        .await;
    assert!(matches!(outcome, Err(Error::NotFound)));
}

#[derive(QueryableByName)]
struct Never {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

#[tokio::test]
async fn what_takes_too_long_is_a_timeout() {
    let database = Database::new().await;
    let db = database.open(2);
    let slow = failure(&db, &["SET LOCAL statement_timeout TO '30ms'", "SELECT pg_sleep(5)"]).await;
    assert!(matches!(slow, Error::Timeout(_)), "{slow:?}");
    assert_eq!((slow.code().status, slow.retry_after().is_some(), slow.is_transient()), (503, true, true));

    let mut holder = database.admin();
    run(&mut holder, "BEGIN").unwrap();
    run(&mut holder, "LOCK TABLE notes").unwrap();
    let blocked = failure(&db, &["SET LOCAL lock_timeout TO '30ms'", "SELECT * FROM notes"]).await;
    assert!(matches!(blocked, Error::Timeout(_)), "{blocked:?}");
}

#[tokio::test]
async fn every_session_has_its_limits() {
    let database = Database::new().await;
    let limits = |c: &mut _| {
        let settings = [
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "search_path",
            "application_name",
        ];
        settings
            .iter()
            .map(|name| Ok(text(c, &format!("current_setting('{name}')"))?))
            .collect::<Result<Vec<_>, Error>>()
    };
    let found = database.open(1).tenant(org()).tx(limits).await.unwrap();
    assert_eq!(found, ["10s", "3s", "15s", "dbtest, pg_temp", "brainops-dbtest"]);
}

#[tokio::test]
async fn a_transaction_that_goes_on_after_a_failed_statement_does_not_pass_for_committed() {
    let database = Database::new().await;
    let db = database.open(1);
    let acme = org();
    let outcome: Result<(), Error> = db
        .tenant(acme)
        .tx(move |c| {
            note(c, acme, "a")?;
            assert!(run(c, "SELECT 1 / 0").is_err());
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::Aborted(_))), "{outcome:?}");
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 0);
    // A savepoint makes it right.
    db.tenant(acme)
        .tx(move |c| {
            note(c, acme, "a")?;
            assert!(c.transaction(|c| run(c, "SELECT 1 / 0")).is_err());
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1);
}
