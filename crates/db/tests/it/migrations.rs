//! Up, down, up; many at once; and what a migration that fails leaves.

use std::process::Command;

use localinfra::PostgresPrograms;
use tokio::task::JoinSet;

use crate::support::*;

/// Everything in the schema, as `pg_dump` writes it.
fn dump(database: &Database) -> String {
    let output = Command::new(PostgresPrograms::find(None).unwrap().program("pg_dump"))
        .args(["--schema-only", "--schema", SCHEMA, "--dbname", database.admin.as_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Newer versions write a random word into backslash commands.
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn up_down_up_leaves_the_same_schema() {
    let database = Database::new().await;
    let first = dump(&database);
    assert!(first.contains("CREATE TABLE dbtest.notes") && first.contains("FORCE ROW LEVEL SECURITY"));

    db::revert_all(database.owner().as_str(), SCHEMA, MIGRATIONS).await.unwrap();
    let left =
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'dbtest'::regnamespace";
    let mut admin = database.admin();
    assert_eq!(text(&mut admin, left).unwrap(), "__diesel_schema_migrations __diesel_schema_migrations_pkey");
    assert_eq!(
        number(&mut admin, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'dbtest'::regnamespace").unwrap(),
        0
    );
    assert_eq!(number(&mut admin, "SELECT count(*) FROM __diesel_schema_migrations").unwrap(), 0);

    db::migrate(database.owner().as_str(), SCHEMA, MIGRATIONS).await.unwrap();
    assert_eq!(dump(&database), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_migrate_at_once() {
    let database = Database::empty().await;
    db::provision(database.admin.as_str(), SCHEMA, &passwords()).await.unwrap();
    let pending = db::pending_migrations(database.owner().as_str(), SCHEMA, MIGRATIONS).await.unwrap();
    assert_eq!(pending.first().map(String::as_str), Some("00000000000001_scope_and_policies"));
    assert_eq!(pending.last().map(String::as_str), Some("2026-01-01-000001_notes"));
    let mut all = JoinSet::new();
    for _ in 0..4 {
        let url = database.owner();
        all.spawn(async move { db::migrate(url.as_str(), SCHEMA, MIGRATIONS).await });
    }
    for outcome in all.join_all().await {
        outcome.unwrap();
    }
    let mut admin = database.admin();
    assert_eq!(
        number(&mut admin, "SELECT count(*) FROM __diesel_schema_migrations").unwrap(),
        i64::try_from(pending.len()).unwrap()
    );
    assert!(db::pending_migrations(database.owner().as_str(), SCHEMA, MIGRATIONS).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_roles_a_migration_says_what_is_missing_and_leaves_nothing() {
    let database = Database::empty().await;
    // A superuser can do everything but grant to roles that are not there.
    run(&mut connect(&database.admin), "CREATE SCHEMA dbtest_bare").unwrap();
    let error = db::migrate(database.admin.as_str(), "dbtest_bare", MIGRATIONS).await.unwrap_err();
    let chain = std::error::Error::source(&error).unwrap().to_string();
    assert!(chain.contains("00000000000001_scope_and_policies") && chain.contains("does not exist"), "{chain}");
    let left = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'dbtest_bare'::regnamespace";
    assert_eq!(number(&mut connect(&database.admin), left).unwrap(), 0);
}
