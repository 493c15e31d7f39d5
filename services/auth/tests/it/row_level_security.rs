//! What the service's database roles reach, asked as those roles: a forgotten `WHERE` shows nothing of others.

use contracts::UserId;
use db::diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query,
    sql_types::BigInt,
};

use crate::support::{App, Person, keys, post, refresh, register, start};

const TABLES: [&str; 10] = [
    "users",
    "credentials",
    "memberships",
    "deleted_organizations",
    "sessions",
    "refresh_tokens",
    "attempts",
    "signing_keys",
    "revocations",
    "api_keys",
];

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn rows(conn: &mut PgConnection, table: &str) -> i64 {
    sql_query(format!("SELECT count(*) AS n FROM auth.{table}")).get_result::<Count>(conn).unwrap().n
}

fn app_role(app: &App, user: Option<UserId>) -> PgConnection {
    let mut conn = PgConnection::establish(&app.db.app_url()).unwrap();
    if let Some(user) = user {
        conn.batch_execute(&format!("SELECT set_config('app.user', '{user}', false)")).unwrap();
    }
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reaches_their_own_rows_and_nobody_without_one_reaches_any() {
    let app = start().await;
    let (ada, bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    refresh(&app, &bob.refresh).await.json::<serde_json::Value>(200);
    assert_eq!(post(&app, "/v1/auth/logout", Some(&bob.access), &serde_json::json!({})).await.status, 204);
    let seen = |user| {
        let mut conn = app_role(&app, user);
        TABLES.map(|table| rows(&mut conn, table))
    };
    assert_eq!(seen(None), [0; 10]);
    assert_eq!(seen(Some(ada.user)), [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]);
    assert_eq!(seen(Some(bob.user)), [1, 1, 1, 0, 1, 2, 0, 0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_cannot_write_rows_of_others_nor_their_own_role() {
    let app = start().await;
    let (ada, bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    let mut conn = app_role(&app, Some(ada.user));
    let refused = [
        format!(
            "INSERT INTO auth.memberships VALUES ('{}', '{}', '{}', 1, 'owner', now())",
            bob.user, bob.org, bob.org
        ),
        "UPDATE auth.memberships SET role = 'viewer'".to_owned(),
        "DELETE FROM auth.sessions".to_owned(),
        "DELETE FROM auth.users".to_owned(),
        "INSERT INTO auth.signing_keys VALUES (gen_random_uuid(), 'x', now(), now(), NULL)".to_owned(),
        "UPDATE auth.users SET id = gen_random_uuid()".to_owned(),
        "TRUNCATE auth.attempts".to_owned(),
        "ALTER TABLE auth.users DISABLE ROW LEVEL SECURITY".to_owned(),
    ];
    for sql in refused {
        assert!(conn.batch_execute(&sql).is_err(), "{sql}");
    }
    let touched =
        sql_query(format!("UPDATE auth.users SET display_name = 'x' WHERE id = '{}'", bob.user)).execute(&mut conn);
    assert_eq!(touched.unwrap(), 0, "there is nobody but Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_tables_sees_no_rows_either() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    keys::make(&app, &ada, &keys::body()).await;
    let mut conn = PgConnection::establish(&app.db.owner_url()).unwrap();
    assert_eq!(TABLES.map(|table| rows(&mut conn, table)), [0; 10], "row level security is forced");
}

fn tenant_role(app: &App, who: &Person) -> PgConnection {
    let mut conn = app_role(app, Some(who.user));
    conn.batch_execute(&format!("SELECT set_config('app.org', '{}', false)", who.org)).unwrap();
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_reaches_its_own_keys_and_no_others() {
    let app = start().await;
    let (ada, bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    let (of_ada, of_bob) = (keys::make(&app, &ada, &keys::body()).await, keys::make(&app, &bob, &keys::body()).await);
    let mut conn = tenant_role(&app, &ada);
    assert_eq!(rows(&mut conn, "api_keys"), 1);
    assert_eq!(rows(&mut app_role(&app, Some(ada.user)), "api_keys"), 0, "a person alone is no organization");
    let touched =
        sql_query(format!("UPDATE auth.api_keys SET name = 'x' WHERE id = '{}'", of_bob.id)).execute(&mut conn);
    assert_eq!(touched.unwrap(), 0);
    let copy = format!(
        "INSERT INTO auth.api_keys SELECT gen_random_uuid(), '{}', user_id, environment, name, secret_hash, scopes,
         allowed_networks, version, created_at, updated_at FROM auth.api_keys",
        bob.org
    );
    let void = |key: &str, user: UserId| {
        format!("INSERT INTO auth.revocations VALUES ('api_key', '{key}', '{user}', now(), now())")
    };
    let refused = [
        copy,
        format!("UPDATE auth.api_keys SET org_id = '{}'", bob.org),
        "DELETE FROM auth.api_keys".to_owned(),
        void(&of_bob.id, bob.user),
        void(&of_ada.id, bob.user),
    ];
    for sql in refused {
        assert!(conn.batch_execute(&sql).is_err(), "{sql}");
    }
    conn.batch_execute(&void(&of_ada.id, ada.user)).unwrap();
}
