//! Roles and schema, made by Rust and by psql.

use std::process::Command;

use db::{Error, diesel::connection::SimpleConnection};
use localinfra::PostgresPrograms;
use tokio::task::JoinSet;

use crate::support::*;

/// What provisioning leaves behind: attributes of the roles, their memberships, rights on database and schema.
fn state(database: &Database, schema: &str) -> String {
    let sql = format!(
        "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
            SELECT concat_ws(' ', replace(rolname, '{schema}', '*'), rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
                rolreplication, rolbypassrls, replace(rolconfig::text, '{schema}', '*')) AS line
                FROM pg_roles WHERE rolname ~ '^brainops_{schema}_(owner|app|system)$'
            UNION ALL SELECT concat_ws(' ', 'member', replace(r.rolname, '{schema}', '*'), replace(m.rolname, '{schema}', '*'))
                FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
                WHERE m.rolname ~ '^brainops_{schema}_(owner|app|system)$'
            UNION ALL SELECT concat_ws(' ', 'database', replace(e::text, '{schema}', '*'))
                FROM pg_database d, unnest(datacl) e WHERE datname = current_database() AND e::text ~ '^(|brainops_{schema}_(owner|app))='
            UNION ALL SELECT concat_ws(' ', 'schema', replace(nspowner::regrole::text, '{schema}', '*'), replace(nspacl::text, '{schema}', '*'))
                FROM pg_namespace WHERE nspname = '{schema}'
            UNION ALL SELECT concat_ws(' ', 'public', nspacl::text) FROM pg_namespace WHERE nspname = 'public'
            UNION ALL SELECT concat_ws(' ', 'default', replace(defaclacl::text, '{schema}', '*'))
                FROM pg_default_acl WHERE defaclrole = 'brainops_{schema}_owner'::regrole
        ) AS lines"
    );
    text(&mut connect(&database.admin), &sql).unwrap()
}

#[tokio::test]
async fn provisioning_again_changes_nothing() {
    let database = Database::empty().await;
    db::provision(database.admin.as_str(), SCHEMA, &passwords()).await.unwrap();
    let first = state(&database, SCHEMA);
    assert!(
        first.contains("brainops_*_app f f f f t f f"),
        "the app role inherits nothing and may only log in: {first}"
    );
    assert!(first.contains("brainops_*_system f f f f f f f"), "the system role may do nothing by itself: {first}");
    assert!(
        first.contains("member brainops_*_system brainops_*_app") && first.matches("member").count() == 1,
        "{first}"
    );
    db::provision(database.admin.as_str(), SCHEMA, &passwords()).await.unwrap();
    assert_eq!(state(&database, SCHEMA), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_provision_at_once() {
    let (one, two) = (Database::empty().await, Database::empty().await);
    let mut all = JoinSet::new();
    for n in 0..6 {
        let url = if n % 2 == 0 { &one.admin } else { &two.admin }.clone();
        all.spawn(async move { db::provision(url.as_str(), "dbtest_crowd", &passwords()).await });
    }
    for outcome in all.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(state(&one, "dbtest_crowd"), state(&two, "dbtest_crowd"));
}

#[tokio::test]
async fn psql_does_the_same() {
    let database = Database::empty().await;
    let psql = PostgresPrograms::find(None).unwrap().program("psql");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/postgres/roles.sql");
    // Twice: it is idempotent too. The password tries to break out.
    for _ in 0..2 {
        let output = Command::new(&psql)
            .args([database.admin.as_str(), "--no-psqlrc", "-v", "schema=dbtest_psql"])
            .args(["-v", "owner_password=it's \"$1\"; DROP", "-v", "app_password=app-password", "-f", script])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "", "says nothing, least of all a password");
    }
    db::provision(database.admin.as_str(), SCHEMA, &passwords()).await.unwrap();
    assert_eq!(state(&database, "dbtest_psql"), state(&database, SCHEMA));
    connect(&database.login("brainops_dbtest_psql_owner", "it's \"$1\"; DROP"));
}

#[tokio::test]
async fn what_was_loosened_is_tightened_again() {
    let database = Database::empty().await;
    let provision = async || db::provision(database.admin.as_str(), "dbtest_loose", &passwords()).await.unwrap();
    provision().await;
    let tight = state(&database, "dbtest_loose");
    connect(&database.admin)
        .batch_execute(
            "ALTER ROLE brainops_dbtest_loose_app SUPERUSER BYPASSRLS INHERIT CREATEROLE;
             ALTER ROLE brainops_dbtest_loose_system LOGIN;
             GRANT brainops_dbtest_loose_owner TO brainops_dbtest_loose_app;
             GRANT CREATE ON SCHEMA dbtest_loose TO brainops_dbtest_loose_app;
             GRANT USAGE ON SCHEMA dbtest_loose TO PUBLIC;
             GRANT CREATE ON SCHEMA public TO PUBLIC",
        )
        .unwrap();
    assert_ne!(state(&database, "dbtest_loose"), tight);
    provision().await;
    assert_eq!(state(&database, "dbtest_loose"), tight);
}

#[tokio::test]
async fn others_have_no_business_in_the_database() {
    let database = Database::new().await;
    db::provision(&elsewhere(&database), "dbtest_stranger", &passwords()).await.unwrap();
    let stranger = database.login("brainops_dbtest_stranger_app", "app-password");
    let refused =
        db::diesel::Connection::establish(stranger.as_str()).map(|_: db::diesel::PgConnection| ()).unwrap_err();
    assert!(refused.to_string().contains("does not have CONNECT privilege"), "{refused}");
}

/// The server's own database, where a role can be made without getting into the test's.
fn elsewhere(database: &Database) -> String {
    let mut url = database.admin.clone();
    url.set_path("template1");
    url.into()
}

#[tokio::test]
async fn a_schema_that_is_not_one_is_refused() {
    let database = Database::empty().await;
    for bad in ["public", "pg_x", "Upper", "a\"; DROP DATABASE x; --"] {
        assert!(
            matches!(db::provision(database.admin.as_str(), bad, &passwords()).await, Err(Error::Setup(_))),
            "{bad}"
        );
    }
    let mut conn = connect(&database.admin);
    conn.batch_execute("SELECT set_config('brainops.schema', 'public', false)").unwrap();
    let said = refusal(&mut conn, include_str!("../../../../deploy/postgres/provision.sql"));
    assert!(said.contains("'public' is not a name for a service's schema"), "{said}");
}
