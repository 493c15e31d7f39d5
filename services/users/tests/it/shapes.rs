//! What goes over the wire, as clients and consumers see it: whole answers and whole events, ids and times redacted.

use contracts::users::v1::{MembershipAdded, OrganizationCreated, ProfileUpdated};
use serde_json::{Value, json, to_value};
use testkit::{TestApp, redacted};
use users::Users;

use crate::support::registered;

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_events_keep_their_shape() {
    let app = TestApp::<Users>::start().await;
    let events = app.record().await;
    let ada = registered(&app, "Ada Lovelace");
    let mut shapes = Vec::new();
    let me: Value = app.get("/v1/users/me", &ada).await.json(200);
    shapes.push(("get_me", me));
    let change = json!({"locale": "en-GB", "preferences": {"theme": "dark"}});
    shapes.push(("update_me", app.patch("/v1/users/me", &ada, &change).await.json(200)));
    let engines = json!({"name": "Analytical Engines", "slug": "engines"});
    shapes.push(("create_organization", app.post("/v1/organizations", &ada, &engines).await.json(201)));
    let path = format!("/v1/organizations/{}/members?limit=1", ada.org);
    shapes.push(("list_members", app.get(&path, &ada).await.json(200)));
    shapes.push(("problem", app.patch("/v1/users/me", &ada, &json!({"locale": 7, "role": "owner"})).await.json(422)));

    let personal = |event: &OrganizationCreated| event.organization_id == ada.org.to_string();
    let mut envelopes = vec![events.wait::<OrganizationCreated>(personal).await.0];
    envelopes.push(events.wait::<MembershipAdded>(|event| event.organization_id == ada.org.to_string()).await.0);
    envelopes.push(events.wait::<ProfileUpdated>(|_| true).await.0);

    // The slug's tail is random; the email is made of the id.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("ada-lovelace-[0-9a-f]{8}", "ada-lovelace-[random]");
    settings.bind(|| {
        for (name, shape) in &shapes {
            insta::assert_json_snapshot!(*name, redacted(shape));
        }
        for envelope in &envelopes {
            insta::assert_json_snapshot!(envelope.routing_key(), redacted(&to_value(envelope).unwrap()));
        }
    });
}
