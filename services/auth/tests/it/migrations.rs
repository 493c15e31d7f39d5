use auth::{Auth, MIGRATIONS};
use testkit::{TestDb, schema_dump};

#[tokio::test(flavor = "multi_thread")]
async fn up_down_up_leaves_the_same_schema() {
    let db = TestDb::<Auth>::new().await;
    let before = schema_dump(&db.admin_url(), "auth");
    assert!(before.contains("table sessions") && before.contains("table api_keys"), "{before}");
    db::revert_all(&db.owner_url(), "auth", MIGRATIONS).await.unwrap();
    let empty = schema_dump(&db.admin_url(), "auth");
    assert!(!empty.contains("table sessions"), "{empty}");
    db::migrate(&db.owner_url(), "auth", MIGRATIONS).await.unwrap();
    assert_eq!(schema_dump(&db.admin_url(), "auth"), before);
}
