//! The second wall, tried from outside with `psql` as each role.

use testkit::{Actor, TestApp};
use users::Users;

use crate::support::welcomed;

fn psql(url: &str, who: Option<&Actor>, sql: &str) -> Result<String, String> {
    testkit::psql("users", url, who, sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_what_is_its_own() {
    let app = TestApp::<Users>::start().await;
    let (ada, bob) = (welcomed(&app, "Ada").await, welcomed(&app, "Bob").await);
    let url = app.db.app_url();
    let count = |who, table| psql(&url, who, &format!("SELECT count(*) FROM {table}"));
    for table in ["profiles", "organizations", "memberships"] {
        assert_eq!(count(None, table).as_deref(), Ok("0"), "{table} without a tenant");
        for who in [&ada, &bob] {
            assert_eq!(count(Some(who), table).as_deref(), Ok("1"), "{table} for {}", who.user);
        }
    }
    let owner = psql(&app.db.owner_url(), None, "SELECT count(*) FROM organizations");
    assert_eq!(owner.as_deref(), Ok("0"), "FORCE binds the owner too");
    let system = "SET ROLE brainops_users_system; SELECT count(*) FROM organizations";
    assert_eq!(psql(&url, None, system).as_deref(), Ok("2"), "the system role sees all, and must be named");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_role_cannot_step_out() {
    let app = TestApp::<Users>::start().await;
    let (ada, bob) = (welcomed(&app, "Ada").await, welcomed(&app, "Bob").await);
    let url = app.db.app_url();
    let foreign = format!(
        "INSERT INTO memberships (id, org_id, user_id, role, created_at, updated_at) \
         VALUES (gen_random_uuid(), '{}', '{}', 'owner', now(), now())",
        bob.org, ada.user
    );
    for (attempt, refusal) in [
        (foreign.as_str(), "row-level security"),
        ("ALTER TABLE memberships DISABLE ROW LEVEL SECURITY", "must be owner"),
        ("CREATE TABLE mine (id int)", "permission denied"),
        ("CREATE POLICY everything ON memberships USING (true)", "must be owner"),
        ("SET ROLE brainops_users_owner", "permission denied"),
        ("DROP TABLE profiles", "must be owner"),
    ] {
        let refused = psql(&url, Some(&ada), attempt).unwrap_err();
        assert!(refused.contains(refusal), "{attempt}: {refused}");
    }
    let taken = format!("UPDATE memberships SET role = 'viewer' WHERE org_id = '{}' RETURNING 1", bob.org);
    assert_eq!(psql(&url, Some(&ada), &taken).as_deref(), Ok(""), "another's rows are not there to be changed");
}
