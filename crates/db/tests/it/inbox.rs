//! The inbox: effects of an event, exactly once.

use contracts::EventId;
use db::{Error, inbox};
use tokio::task::JoinSet;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_deliveries_at_once_take_effect_once() {
    let database = Database::new().await;
    let db = database.open(8);
    let (acme, event) = (org(), EventId::from_uuid(id()));
    let mut all = JoinSet::new();
    for n in 0..20 {
        let db = db.clone();
        all.spawn(async move {
            db.tenant(acme)
                .tx(move |c| inbox::once(c, "dbtest.notes", event, |c| note(c, acme, &format!("delivery {n}"))))
                .await
                .unwrap()
        });
    }
    let effects = all.join_all().await.into_iter().flatten().count();
    assert_eq!(effects, 1);
    assert_eq!(db.tenant(acme).tx(notes).await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_effect_leaves_the_event_to_the_next_delivery() {
    let database = Database::new().await;
    let db = database.open(1);
    let (acme, event) = (org(), EventId::from_uuid(id()));
    let failed: Result<Option<()>, Error> = db
        .tenant(acme)
        .tx(move |c| {
            inbox::once(c, "dbtest.notes", event, |c| {
                note(c, acme, "a")?;
                Err(Error::NotFound)
            })
        })
        .await;
    assert!(failed.is_err());
    let deliver = move |c: &mut _| inbox::once(c, "dbtest.notes", event, |c| note(c, acme, "a"));
    assert!(db.tenant(acme).tx(deliver).await.unwrap().is_some());
    assert!(db.tenant(acme).tx(deliver).await.unwrap().is_none());
}

#[tokio::test]
async fn each_consumer_has_its_own_memory_in_every_scope() {
    let database = Database::new().await;
    let db = database.open(1);
    let event = EventId::from_uuid(id());
    let deliver = |consumer: &'static str| move |c: &mut _| inbox::once(c, consumer, event, |_| Ok::<_, Error>(()));
    assert!(db.tenant(org()).tx(deliver("one")).await.unwrap().is_some());
    assert!(db.person(user()).tx(deliver("two")).await.unwrap().is_some());
    assert!(db.system("test").tx(deliver("three")).await.unwrap().is_some());
    for consumer in ["one", "two", "three"] {
        assert!(db.system("test").tx(deliver(consumer)).await.unwrap().is_none(), "{consumer}");
    }
}
