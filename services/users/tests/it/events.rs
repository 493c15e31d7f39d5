//! What comes in from auth: once, whatever the broker does.

use contracts::{
    CloudEvent, EventId, Origin, Role,
    auth::v1::UserRegistered,
    users::v1::{MembershipAdded, OrganizationCreated},
};
use serde_json::Value;
use testkit::{Actor, TestApp, test_start};
use users::Users;

use crate::support::{email, know};

fn registered(actor: &Actor, name: &str) -> CloudEvent {
    let event = UserRegistered {
        user_id: actor.user.to_string(),
        organization_id: actor.org.to_string(),
        email: email(actor.user),
        display_name: name.to_owned(),
        registered_at: Some(test_start().into()),
    };
    let origin = Origin { actor: Some(actor.user.uuid()), org: Some(actor.org), traceparent: None, at: test_start() };
    let id = EventId::from_uuid(Actor::new(Role::Owner).user.uuid());
    CloudEvent::new(id, &origin, 1, &event).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_delivered_ten_times_welcomes_once() {
    let app = TestApp::<Users>::start().await;
    app.consuming(users::AUTH_QUEUE).await;
    let events = app.record().await;
    let ada = Actor::new(Role::Owner);
    let event = registered(&ada, "Ada");
    for _ in 0..10 {
        app.publish(&event).await;
    }
    let (_, created) = events.wait::<OrganizationCreated>(|_| true).await;
    assert_eq!(created.organization_id, ada.org.to_string());
    // Somebody else's welcome goes through the same queue behind all ten.
    let bob = Actor::new(Role::Owner);
    app.publish(&registered(&bob, "Bob")).await;
    events.wait::<OrganizationCreated>(|event| event.organization_id == bob.org.to_string()).await;

    let me: Value = app.get("/v1/users/me", &ada).await.json(200);
    assert_eq!((me["display_name"].as_str(), me["version"].as_i64()), (Some("Ada"), Some(1)));
    let made = |kind: &str| events.types().iter().filter(|seen| *seen == kind).count();
    assert_eq!(made("brainops.users.organization_created.v1"), 2, "one each for Ada and Bob");
    assert_eq!(made("brainops.users.membership_added.v1"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_after_the_first_read_changes_nothing() {
    let app = TestApp::<Users>::start().await;
    app.consuming(users::AUTH_QUEUE).await;
    let events = app.record().await;
    let ada = Actor::new(Role::Owner);
    know(&app, &ada, "Ada");
    assert_eq!(app.get("/v1/users/me", &ada).await.status, 200);
    events.wait::<MembershipAdded>(|_| true).await;
    app.publish(&registered(&ada, "Somebody else")).await;
    let bob = Actor::new(Role::Owner);
    app.publish(&registered(&bob, "Bob")).await;
    events.wait::<MembershipAdded>(|event| event.user_id == bob.user.to_string()).await;
    let me: Value = app.get("/v1/users/me", &ada).await.json(200);
    assert_eq!(me["display_name"], "Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_names_no_user_is_a_dead_letter() {
    let app = TestApp::<Users>::start().await;
    app.consuming(users::AUTH_QUEUE).await;
    let events = app.record().await;
    let mut poison = registered(&Actor::new(Role::Owner), "Nobody");
    poison.data["user_id"] = "not an id".into();
    app.publish(&poison).await;
    let bob = Actor::new(Role::Owner);
    app.publish(&registered(&bob, "Bob")).await;
    events.wait::<MembershipAdded>(|event| event.user_id == bob.user.to_string()).await;
    let letters = app.dead_letters(users::AUTH_QUEUE).await;
    assert_eq!(letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>(), ["failed"]);
}
