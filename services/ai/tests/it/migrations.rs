//! Migrations go both ways.

use ai::{Ai, MIGRATIONS};
use testkit::{TestDb, schema_dump};
use tokio::task::spawn_blocking;

#[tokio::test(flavor = "multi_thread")]
async fn up_down_up_leaves_the_same_schema() {
    let db = TestDb::<Ai>::new().await;
    let (owner, admin) = (db.owner_url(), db.admin_url());
    let dump = || {
        let admin = admin.clone();
        async { spawn_blocking(move || schema_dump(&admin, "ai")).await.unwrap() }
    };
    let before = dump().await;
    db::revert_all(&owner, "ai", MIGRATIONS).await.unwrap();
    let empty = dump().await;
    assert!(!empty.contains("providers"), "{empty}");
    db::migrate(&owner, "ai", MIGRATIONS).await.unwrap();
    assert_eq!(before, dump().await);
}
