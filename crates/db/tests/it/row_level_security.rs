//! Who sees what, asked of Postgres itself in the words of each role.

use db::{Error, diesel::connection::SimpleConnection, roles};

use crate::support::*;

fn is_rls(error: &str) -> bool {
    error.contains("violates row-level security policy")
}

#[tokio::test]
async fn without_a_scope_the_app_role_sees_nothing_and_writes_nothing() {
    let database = Database::new().await;
    let acme = org();
    note(&mut database.admin(), acme, "a").unwrap();
    let mut app = connect(&database.app());
    assert_eq!(notes(&mut app).unwrap(), 0, "app.org was never set");
    app.batch_execute("SELECT set_config('app.org', '', false)").unwrap();
    assert_eq!(notes(&mut app).unwrap(), 0, "app.org is empty");
    assert!(is_rls(&refusal(
        &mut app,
        &format!("INSERT INTO notes (id, org_id, title) VALUES ('{}', '{acme}', 'b')", id())
    )));
    assert_eq!(run(&mut app, "UPDATE notes SET title = 'x'").unwrap(), 0);
    assert_eq!(run(&mut app, "DELETE FROM notes").unwrap(), 0);
}

#[tokio::test]
async fn a_tenant_reaches_its_own_rows_only() {
    let database = Database::new().await;
    let db = database.open(2);
    let (acme, umbrella) = (org(), org());
    let id = db.tenant(acme).tx(move |c| note(c, acme, "a")).await.unwrap();
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1);
    assert_eq!(db.tenant(umbrella).tx(notes).await.unwrap(), 0);
    let inserted = db.tenant(umbrella).tx(move |c| note(c, acme, "b")).await.unwrap_err();
    assert!(matches!(&inserted, Error::Query(e) if is_rls(&e.to_string())), "{inserted:?}");
    let moved =
        db.tenant(acme).tx(move |c| Ok::<_, Error>(run(c, &format!("UPDATE notes SET org_id = '{umbrella}'"))?)).await;
    assert!(matches!(&moved, Err(Error::Query(e)) if is_rls(&e.to_string())), "{moved:?}");
    for change in ["UPDATE notes SET title = 'x'", "DELETE FROM notes"] {
        assert_eq!(db.tenant(umbrella).tx(move |c| Ok::<_, Error>(run(c, change)?)).await.unwrap(), 0, "{change}");
    }
    // What references see is not bound by the policies, so a foreign note can be named; the remark itself cannot be moved.
    let remark = db
        .tenant(umbrella)
        .tx(move |c| {
            let remark = self::id();
            Ok::<_, Error>(run(c, &format!("INSERT INTO remarks VALUES ('{remark}', '{acme}', '{id}')"))?)
        })
        .await;
    assert!(matches!(&remark, Err(Error::Query(e)) if is_rls(&e.to_string())), "{remark:?}");
}

#[tokio::test]
async fn a_person_reaches_their_own_rows_in_every_organization() {
    let database = Database::new().await;
    let db = database.open(2);
    let (ann, bob, acme) = (user(), user(), org());
    let write =
        move |c: &mut _| Ok::<_, Error>(run(c, &format!("INSERT INTO diaries VALUES ('{ann}', 'dear diary')"))?);
    assert_eq!(db.person(ann).tx(write).await.unwrap(), 1);
    let read = |c: &mut _| Ok::<_, Error>(number(c, "SELECT count(*) FROM diaries")?);
    assert_eq!(db.person(ann).tx(read).await.unwrap(), 1);
    assert_eq!(db.tenant(acme).as_user(ann).tx(read).await.unwrap(), 1);
    assert_eq!(db.person(bob).tx(read).await.unwrap(), 0);
    assert_eq!(db.tenant(acme).tx(read).await.unwrap(), 0);
    assert!(db.person(bob).tx(write).await.is_err(), "for somebody else");
}

#[tokio::test]
async fn the_system_role_sees_all_rows_but_only_through_its_entry_point() {
    let database = Database::new().await;
    let db = database.open(1);
    for name in ["a", "b"] {
        let tenant = org();
        db.tenant(tenant).tx(move |c| note(c, tenant, name)).await.unwrap();
    }
    assert_eq!(db.system("test").tx(notes).await.unwrap(), 2);
    let who = |c: &mut _| Ok::<_, Error>(text(c, "current_user")?);
    assert_eq!(db.system("test").tx(who).await.unwrap(), roles::system(SCHEMA));
    assert_eq!(db.tenant(org()).tx(who).await.unwrap(), roles::app(SCHEMA));
    // Membership alone gives nothing.
    let mut app = connect(&database.app());
    assert_eq!(number(&mut app, "SELECT count(*) FROM notes").unwrap(), 0);
    assert!(refusal(&mut app, "SELECT * FROM outbox_events").contains("permission denied"));
    let mut system = database.admin.clone();
    system.set_username(&roles::system(SCHEMA)).unwrap();
    assert!(
        db::diesel::Connection::establish(system.as_str()).map(|_: db::diesel::PgConnection| ()).is_err(),
        "no log-in"
    );
}

#[tokio::test]
async fn the_app_role_can_change_nothing_about_its_walls() {
    let database = Database::new().await;
    db::provision(database.admin.as_str(), "dbtest_other", &passwords()).await.unwrap();
    db::migrate(database.login(&roles::owner("dbtest_other"), "owner-password").as_str(), "dbtest_other", MIGRATIONS)
        .await
        .unwrap();
    let mut app = connect(&database.app());
    let (owner, other) = (roles::owner(SCHEMA), roles::system("dbtest_other"));
    for (statement, says) in [
        ("ALTER TABLE notes DISABLE ROW LEVEL SECURITY", "must be owner"),
        ("ALTER TABLE notes NO FORCE ROW LEVEL SECURITY", "must be owner"),
        ("DROP POLICY tenant ON notes", "must be owner"),
        ("CREATE POLICY mine ON notes USING (true)", "must be owner"),
        ("DROP TABLE notes", "must be owner"),
        ("TRUNCATE notes", "permission denied"),
        ("CREATE TABLE dbtest.mine (id int)", "permission denied"),
        ("CREATE TABLE public.mine (id int)", "permission denied"),
        ("CREATE TEMPORARY TABLE notes (id int)", "permission denied"),
        ("CREATE SCHEMA mine", "permission denied"),
        ("CREATE FUNCTION dbtest.mine() RETURNS int LANGUAGE sql RETURN 1", "permission denied"),
        (
            "CREATE OR REPLACE FUNCTION dbtest.app_org() RETURNS uuid LANGUAGE sql RETURN NULL::uuid",
            "permission denied",
        ),
        ("SELECT * FROM dbtest_other.notes", "permission denied for schema"),
        ("SELECT * FROM outbox_events", "permission denied"),
        ("DELETE FROM inbox_events", "permission denied"),
        ("SELECT * FROM audit_log_default", "permission denied"),
        ("UPDATE audit_log SET action = 'x'", "permission denied"),
        ("SELECT * FROM __diesel_schema_migrations", "permission denied"),
        ("SELECT ensure_month_partitions('audit_log', 1)", "permission denied"),
        ("SELECT protect_table('notes', 'true')", "permission denied"),
        ("SET row_security TO off; SELECT * FROM notes", "would be affected by row-level security"),
        (&format!("SET ROLE {owner}"), "permission denied to set role"),
        (&format!("SET ROLE {other}"), "permission denied to set role"),
        ("SET ROLE postgres", "permission denied to set role"),
        ("SET SESSION AUTHORIZATION postgres", "permission denied"),
        ("ALTER ROLE CURRENT_USER BYPASSRLS", "must be superuser"),
    ] {
        let said = refusal(&mut app, statement);
        assert!(said.contains(says), "{statement}: {said}");
        app.batch_execute("RESET ALL").unwrap();
    }
}

#[tokio::test]
async fn the_system_role_reads_and_writes_and_that_is_all() {
    let database = Database::new().await;
    let db = database.open(1);
    for statement in
        ["CREATE TABLE mine (id int)", "DROP TABLE notes", "DELETE FROM audit_log", "UPDATE audit_log SET action = 'x'"]
    {
        let outcome = db.system("test").tx(move |c| Ok::<_, Error>(run(c, statement)?)).await;
        let Err(Error::Query(error)) = outcome else { panic!("{statement}: {outcome:?}") };
        assert!(
            error.to_string().contains("permission denied") || error.to_string().contains("must be owner"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn forced_row_level_security_binds_the_owner_too() {
    let database = Database::new().await;
    note(&mut database.admin(), org(), "a").unwrap();
    let mut owner = connect(&database.owner());
    assert_eq!(notes(&mut owner).unwrap(), 0);
    // The way of a migration that changes rows.
    let migration = "BEGIN; ALTER TABLE notes NO FORCE ROW LEVEL SECURITY; UPDATE notes SET version = 7; \
        ALTER TABLE notes FORCE ROW LEVEL SECURITY; COMMIT";
    owner.batch_execute(migration).unwrap();
    assert_eq!(number(&mut database.admin(), "SELECT version FROM notes").unwrap(), 7);
    assert_eq!(notes(&mut owner).unwrap(), 0);
    let unprotected = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') \
        AND NOT relispartition AND relname <> '__diesel_schema_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(number(&mut owner, unprotected).unwrap(), 0, "every table is behind the wall");
}

#[tokio::test]
async fn a_scope_ends_with_its_transaction() {
    let database = Database::new().await;
    // One connection, so that each transaction meets what the one before left.
    let db = database.open(1);
    let (acme, ann) = (org(), user());
    let scope = |c: &mut _| Ok::<_, Error>(text(c, "concat_ws('/', app_org(), app_user(), current_user)")?);
    let app = roles::app(SCHEMA);
    let backend = |c: &mut _| Ok::<_, Error>(number(c, "pg_backend_pid()")?);
    let first = db.tenant(acme).tx(backend).await.unwrap();

    assert_eq!(db.tenant(acme).as_user(ann).tx(scope).await.unwrap(), format!("{acme}/{ann}/{app}"));
    assert_eq!(db.person(ann).tx(scope).await.unwrap(), format!("{ann}/{app}"));
    assert_eq!(db.tenant(acme).tx(scope).await.unwrap(), format!("{acme}/{app}"));
    assert_eq!(db.system("test").tx(scope).await.unwrap(), roles::system(SCHEMA));
    let failed: Result<(), Error> = db.system("test").tx(|c| Ok(run(c, "SELECT 1 / 0").map(drop)?)).await;
    assert!(failed.is_err());
    assert_eq!(db.person(ann).tx(scope).await.unwrap(), format!("{ann}/{app}"), "after a rollback");
    // The session itself was never touched: outside of its transaction a connection has no scope and no role.
    db.tenant(acme).as_user(ann).tx(scope).await.unwrap();
    let outside = |c: &mut _| {
        run(c, "ROLLBACK")?;
        Ok::<_, Error>(text(
            c,
            "concat(current_setting('app.org', true), current_setting('app.user', true), current_user)",
        )?)
    };
    assert_eq!(db.system("test").tx(outside).await.unwrap(), app);
    // Even code that sets it for the session by mistake is undone by the next transaction.
    let careless = move |c: &mut _| Ok::<_, Error>(text(c, &format!("set_config('app.org', '{acme}', false)"))?);
    db.person(ann).tx(careless).await.unwrap();
    assert_eq!(db.person(ann).tx(scope).await.unwrap(), format!("{ann}/{app}"), "after a careless SET");
    assert_eq!(db.tenant(acme).tx(backend).await.unwrap(), first, "it was one connection all along");
}
