//! Up, down and up again leaves the same schema.

use db::diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kit::Service as _;
use specimen::Specimen;
use testkit::{TestDb, schema_dump};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

#[tokio::test(flavor = "multi_thread")]
async fn up_down_up_leaves_the_same_schema() {
    let db = TestDb::<Specimen>::new().await;
    let dump = || schema_dump(&db.admin_url(), Specimen::NAME);
    let before = dump();
    assert!(before.contains("column widgets.name text"), "{before}");
    db::revert_all(&db.owner_url(), Specimen::NAME, MIGRATIONS).await.unwrap();
    assert!(!dump().contains("widgets"), "{}", dump());
    db::migrate(&db.owner_url(), Specimen::NAME, MIGRATIONS).await.unwrap();
    assert_eq!(dump(), before);
}
