//! Up, down and up again leaves the same schema.

use kit::Service as _;
use memory::{MIGRATIONS, Memory};
use testkit::{TestDb, schema_dump};

#[tokio::test(flavor = "multi_thread")]
async fn up_down_up_leaves_the_same_schema() {
    let db = TestDb::<Memory>::new().await;
    let dump = || schema_dump(&db.admin_url(), Memory::NAME);
    let before = dump();
    assert!(before.contains("column sessions.title text"), "{before}");
    db::revert_all(&db.owner_url(), Memory::NAME, MIGRATIONS).await.unwrap();
    assert!(!dump().contains("sessions"), "{}", dump());
    db::migrate(&db.owner_url(), Memory::NAME, MIGRATIONS).await.unwrap();
    assert_eq!(dump(), before);
}
