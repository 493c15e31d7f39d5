//! Rows whose time is over, partitions whose time is near.

use db::Error;

use crate::support::*;

#[tokio::test]
async fn the_sweep_takes_old_rows_and_leaves_young_ones() {
    let database = Database::new().await;
    let db = database.open(1);
    let mut admin = database.admin();
    run(&mut admin, "INSERT INTO inbox_events SELECT gen_random_uuid(), 'old', now() - interval '14 days 1 second' FROM generate_series(1, 12000)").unwrap();
    run(&mut admin, "INSERT INTO inbox_events SELECT gen_random_uuid(), 'young', now() - interval '13 days' FROM generate_series(1, 10)").unwrap();
    for (hours, body) in [(25, "old"), (23, "young")] {
        run(
            &mut admin,
            &format!(
                "INSERT INTO idempotency_keys SELECT sha256(random()::text::bytea), NULL, NULL, 'r', sha256('b'), 200, '[]', '{body}', \
                 now() - interval '{hours} hours' FROM generate_series(1, 3)"
            ),
        )
        .unwrap();
    }
    db.sweep().await.unwrap();
    assert_eq!(
        text(&mut admin, "SELECT string_agg(DISTINCT consumer, ' ') || count(*) FROM inbox_events").unwrap(),
        "young10"
    );
    assert_eq!(
        text(
            &mut admin,
            "SELECT string_agg(DISTINCT convert_from(body, 'UTF8'), ' ') || count(*) FROM idempotency_keys"
        )
        .unwrap(),
        "young3"
    );
}

const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_log'::regclass";

#[tokio::test]
async fn coming_months_get_their_partitions_and_their_rows() {
    let database = Database::new().await;
    let db = database.open(1);
    let mut admin = database.admin();
    assert_eq!(number(&mut admin, PARTITIONS).unwrap(), 5, "this month, three ahead, and the default");
    // As if the task had not run for long: a month is missing, and its rows went to the default partition.
    let month = text(&mut admin, "to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')").unwrap();
    run(&mut admin, &format!("DROP TABLE audit_log_{month}")).unwrap();
    let insert = "INSERT INTO audit_log SELECT gen_random_uuid(), at, NULL, NULL, 'a', 't', 's', NULL, NULL, '{}' \
        FROM (VALUES (now()), (now() - interval '5 years')) AS v (at)";
    run(&mut admin, insert).unwrap();
    assert_eq!(number(&mut admin, "SELECT count(*) FROM audit_log_default").unwrap(), 2);
    db.sweep().await.unwrap();
    assert_eq!(number(&mut admin, PARTITIONS).unwrap(), 5);
    assert_eq!(number(&mut admin, &format!("SELECT count(*) FROM audit_log_{month}")).unwrap(), 1);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM audit_log_default").unwrap(), 1, "what has no month stays");
    assert_eq!(number(&mut admin, "SELECT count(*) FROM audit_log").unwrap(), 2);
    db.sweep().await.unwrap();
    assert_eq!(number(&mut admin, PARTITIONS).unwrap(), 5, "and again changes nothing");
}

#[tokio::test]
async fn the_owners_rights_serve_partitions_of_this_schema_only() {
    let database = Database::new().await;
    let db = database.open(1);
    let mut admin = database.admin();
    run(&mut admin, "CREATE TABLE public.foreign_log (at timestamptz) PARTITION BY RANGE (at)").unwrap();
    run(&mut admin, "GRANT USAGE ON SCHEMA public TO PUBLIC").unwrap();
    for (call, says) in [
        ("ensure_month_partitions('notes', 1)", "is not a table of schema dbtest that is partitioned by time"),
        (
            "ensure_month_partitions('public.foreign_log', 1)",
            "is not a table of schema dbtest that is partitioned by time",
        ),
        (
            "ensure_month_partitions('pg_catalog.pg_class', 1)",
            "is not a table of schema dbtest that is partitioned by time",
        ),
        ("ensure_month_partitions('audit_log', 37)", "months_ahead must be 0 to 36"),
        ("ensure_month_partitions('audit_log', -1)", "months_ahead must be 0 to 36"),
        ("ensure_month_partitions('audit_log', NULL)", "months_ahead must be 0 to 36"),
    ] {
        let outcome = db.system("test").tx(move |c| Ok::<_, Error>(run(c, &format!("SELECT {call}"))?)).await;
        let Err(Error::Query(error)) = outcome else { panic!("{call}: {outcome:?}") };
        assert!(error.to_string().contains(says), "{call}: {error}");
    }
}
