//! A key is never worth more than its owner: what becomes of keys when their owner is disabled, leaves or changes role.

use contracts::{
    Role,
    auth::v1::{ApiKeyRevoked, ApiKeyUpdated},
    users::v1::OrganizationDeleted,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    App, Membership, PASSWORD, Person, count, get, join, keys, lines, member, post, register, service_token, start,
    tell,
};

fn reads() -> Value {
    json!({"name": "x", "scopes": ["users:read"]})
}

async fn disable(app: &App, who: &Person) {
    let token = service_token(app, "standalone", "auth").await;
    let path = format!("/internal/users/{}/disable", who.user);
    assert_eq!(post(app, &path, Some(&token), &json!({"reason": "abuse"})).await.status, 204);
}

/// `id reason` of every revoked key.
async fn revoked(app: &App) -> Vec<String> {
    lines(app, "SELECT id || ' ' || revoke_reason AS line FROM auth.api_keys WHERE revoked_at IS NOT NULL ORDER BY id")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_somebody_ends_their_keys_everywhere_and_no_others() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let at_home = keys::make(&app, &ada, &reads()).await;
    let (ada, membership) = join(&app, ada, kit::NewId::new(&kit::RandomIds), Role::Member).await;
    let at_work = keys::make(&app, &ada, &reads()).await;
    let (bob, _) = join(&app, register(&app, "Bob").await, membership.org, Role::Member).await;
    let bobs = keys::make(&app, &bob, &reads()).await;
    let token = keys::token(&app, &at_work.text).await;
    disable(&app, &ada).await;
    for key in [&at_home, &at_work] {
        assert!(!keys::works(&app, &key.text).await);
        let (event, told) = events.wait::<ApiKeyRevoked>(|event| event.api_key_id == key.id).await;
        assert_eq!(told.reason, "owner_disabled");
        assert_eq!(event.org.unwrap().to_string(), told.organization_id);
    }
    assert_eq!(get(&app, "/v1/auth/me", &token).await.problem(401), "invalid_token");
    assert!(keys::works(&app, &bobs.text).await);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.revocations WHERE kind = 'api_key'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_an_organization_ends_ones_keys_there_for_good() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let at_home = keys::make(&app, &ada, &reads()).await;
    let (ada, membership) = join(&app, ada, kit::NewId::new(&kit::RandomIds), Role::Admin).await;
    let at_work = keys::make(&app, &ada, &reads()).await;
    let token = keys::token(&app, &at_work.text).await;
    tell(&app, 2, membership.removed()).await;
    assert!(!keys::works(&app, &at_work.text).await && keys::works(&app, &at_home.text).await);
    assert_eq!(get(&app, "/v1/auth/me", &token).await.problem(401), "invalid_token");
    let (_, told) = events.wait::<ApiKeyRevoked>(|_| true).await;
    assert_eq!((told.api_key_id.as_str(), told.reason.as_str()), (at_work.id.as_str(), "owner_removed"));

    let ada = keys::signed_in_anew(&app, &Person { org: member_home(&app, &ada).await, ..ada }, PASSWORD).await;
    join(&app, ada, membership.org, Role::Admin).await;
    assert!(!keys::works(&app, &at_work.text).await, "coming back revives nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn coming_back_revives_nothing_when_it_is_heard_before_the_leaving() {
    let app = start().await;
    let events = app.record().await;
    let (ada, before) = member(&app, "Ada", Role::Admin).await;
    let key = keys::make(&app, &ada, &reads()).await;
    let after = Membership::new(before.org, ada.user);
    tell(&app, 1, after.added(Role::Admin)).await;
    assert!(!keys::works(&app, &key.text).await);
    tell(&app, 2, before.removed()).await;
    let (_, told) = events.wait::<ApiKeyRevoked>(|_| true).await;
    assert_eq!((told.api_key_id.as_str(), told.reason.as_str()), (key.id.as_str(), "owner_removed"));
}

async fn member_home(app: &App, who: &Person) -> contracts::OrgId {
    let sql = format!("SELECT personal_org_id::text AS line FROM auth.users WHERE id = '{}'", who.user);
    lines(app, &sql).await.remove(0).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_organization_has_no_keys() {
    let app = start().await;
    let events = app.record().await;
    let (ada, membership) = member(&app, "Ada", Role::Owner).await;
    let (bob, _) = join(&app, register(&app, "Bob").await, membership.org, Role::Member).await;
    let keys = [keys::make(&app, &ada, &reads()).await, keys::make(&app, &bob, &reads()).await];
    let organization_id = membership.org.to_string();
    tell(&app, 5, OrganizationDeleted { organization_id, ..OrganizationDeleted::default() }).await;
    let mut expected: Vec<_> = keys.iter().map(|key| format!("{} organization_deleted", key.id)).collect();
    expected.sort();
    assert_eq!(revoked(&app).await, expected);
    for key in &keys {
        assert!(!keys::works(&app, &key.text).await);
        events.wait::<ApiKeyRevoked>(|event| event.api_key_id == key.id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_is_told_of_each_key_that_works() {
    let app = start().await;
    let events = app.record().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    let key = keys::make(&app, &ada, &json!({"name": "x", "scopes": ["users:read", "ai:write"]})).await;
    let gone = keys::make(&app, &ada, &reads()).await;
    assert_eq!(keys::revoke(&app, &ada, &gone.id).await.status, 204);
    tell(&app, 2, membership.role_changed(Role::Viewer)).await;
    let (event, told) = events.wait::<ApiKeyUpdated>(|_| true).await;
    assert_eq!((told.api_key_id.as_str(), told.reason.as_str(), event.sequence), (key.id.as_str(), "role_changed", 2));
    assert_eq!(told.scopes, ["users:read", "ai:write"], "the key is as it was");
    let token = keys::token(&app, &key.text).await;
    assert_eq!(crate::support::claims(&token)["scope"], "users:read");
    assert_eq!(count(&app, "SELECT max(version)::bigint AS n FROM auth.api_keys WHERE revoked_at IS NULL").await, 2);
}

/// Whoever wins, no key of somebody disabled is left: either it was made before and ended, or it was not made.
#[tokio::test(flavor = "multi_thread")]
async fn keys_made_while_their_owner_is_disabled_do_not_survive() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let body = keys::body();
    let create = async |_| keys::create(&app, &ada.access, &body).await.status;
    let (made, ()) = tokio::join!(join_all((0..16).map(create)), disable(&app, &ada));
    assert!(made.iter().all(|status| [201, 401, 403].contains(status)), "{made:?}");
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys WHERE revoked_at IS NULL").await, 0);
    let works = revoked(&app).await.len();
    assert_eq!(works, made.iter().filter(|status| **status == 201).count());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_missed_opens_nothing_either() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Member).await;
    let key = keys::make(&app, &ada, &reads()).await;
    // As if the revocation had been lost: the exchange asks for the owner's standing itself.
    let change = async |sql: String| {
        app.db.admin(move |conn| db::diesel::connection::SimpleConnection::batch_execute(conn, &sql).unwrap()).await;
    };
    let of = format!("user_id = '{}' AND org_id = '{}'", ada.user, membership.org);
    change(format!("UPDATE auth.memberships SET role = NULL WHERE {of}")).await;
    assert!(!keys::works(&app, &key.text).await);
    change(format!("UPDATE auth.memberships SET role = 'member' WHERE {of}")).await;
    assert!(keys::works(&app, &key.text).await);
    change(format!("UPDATE auth.users SET disabled_at = now() WHERE id = '{}'", ada.user)).await;
    assert!(!keys::works(&app, &key.text).await);
}
