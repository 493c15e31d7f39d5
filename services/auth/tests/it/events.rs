//! What the users service tells becomes what tokens say.

use contracts::{
    CloudEvent, OrgId, Role,
    auth::v1::{SessionRevoked, SessionStarted, UserDisabled},
    users::v1::OrganizationDeleted,
};
use kit::{NewId as _, RandomIds};
use serde_json::{Value, json};

use crate::support::{
    Membership, Person, claims, consumed, count, get, keys, member, post, publish, refresh, register, roles,
    service_token, start, tell, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_old_token_is_refused_after_a_role_change_and_nobody_is_signed_out() {
    let app = start().await;
    let events = app.record().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    tell(&app, 2, membership.role_changed(Role::Viewer)).await;

    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.problem(401), "invalid_token");
    let next: Value = refresh(&app, &ada.refresh).await.json(200);
    assert_eq!(next["organization"], json!({"id": membership.org, "role": "viewer"}));
    let next = Person::from(&next);
    assert_ne!(next.session(), ada.session());
    assert_eq!(get(&app, "/v1/auth/me", &next.access).await.status, 200);

    let (_, revoked) = events.wait::<SessionRevoked>(|_| true).await;
    assert_eq!((revoked.session_id, revoked.reason.as_str()), (ada.session().to_string(), "role_changed"));
    events.wait::<SessionStarted>(|event| event.session_id == next.session().to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_removed_goes_on_in_their_own_organization() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Member).await;
    tell(&app, 2, membership.removed()).await;
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.status, 401);
    let next: Value = refresh(&app, &ada.refresh).await.json(200);
    assert_eq!(next["organization"]["role"], "owner");
    assert_ne!(next["organization"]["id"], json!(membership.org));
    let body = json!({"organization_id": membership.org});
    let token = next["access_token"].as_str().unwrap();
    let answer = post(&app, "/v1/auth/switch-organization", Some(token), &body).await;
    assert_eq!(answer.problem(404), "organization_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_arrive_late_or_twice_change_nothing() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let membership = Membership::new(RandomIds.new(), ada.user);
    tell(&app, 3, membership.role_changed(Role::Admin)).await;
    tell(&app, 1, membership.added(Role::Viewer)).await;
    tell(&app, 2, membership.role_changed(Role::Member)).await;
    tell(&app, 3, membership.role_changed(Role::Admin)).await;
    assert!(roles(&app, &ada.access).await.contains(&(membership.org, "admin".to_owned())));
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.revocations").await, 0, "no token said anything else");

    // They left and came back under a new membership; the news of leaving comes last.
    let again = Membership::new(membership.org, ada.user);
    tell(&app, 1, again.added(Role::Viewer)).await;
    tell(&app, 4, membership.removed()).await;
    let next = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    assert!(roles(&app, &next.access).await.contains(&(membership.org, "viewer".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_services_own_word_about_the_personal_organization_voids_nothing() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    tell(&app, 1, Membership::new(ada.org, ada.user).added(Role::Owner)).await;
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.status, 200);
    assert_eq!(roles(&app, &ada.access).await, [(ada.org, "owner".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_organization_is_nobodys_and_stays_deleted() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    let bob = register(&app, "Bob").await;
    let org = membership.org;
    tell(&app, 5, OrganizationDeleted { organization_id: org.to_string(), ..OrganizationDeleted::default() }).await;
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.status, 401);
    assert_eq!(get(&app, "/v1/auth/me", &bob.access).await.status, 200, "no member, not concerned");

    tell(&app, 1, Membership::new(org, bob.user).added(Role::Member)).await;
    tell(&app, 9, membership.role_changed(Role::Owner)).await;
    for person in [&ada, &bob] {
        let next = Person::from(&refresh(&app, &person.refresh).await.json(200));
        let of: Vec<OrgId> = roles(&app, &next.access).await.into_iter().map(|(of, _)| of).collect();
        assert!(!of.contains(&org), "news about a deleted organization revived it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_role_goes_to_the_dead_letters_and_the_next_event_is_handled() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let membership = Membership::new(RandomIds.new(), ada.user);
    let mut poison = membership.added(Role::Viewer);
    "emperor".clone_into(&mut poison.role);
    publish(&app, 1, poison).await;
    tell(&app, 2, membership.role_changed(Role::Member)).await;
    assert!(roles(&app, &ada.access).await.contains(&(membership.org, "member".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_changes_while_people_sign_in_never_stays_in_a_token() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    // Refreshes go on while the news comes in.
    let mut refresh_token = ada.refresh.clone();
    let event = publish(&app, 2, membership.role_changed(Role::Viewer)).await;
    let mut seen = Vec::new();
    for _ in 0..40 {
        let next = Person::from(&refresh(&app, &refresh_token).await.json(200));
        refresh_token.clone_from(&next.refresh);
        seen.push(next.access);
    }
    consumed(&app, event).await;
    for token in &seen {
        let admin = claims(token)["role"] == "admin";
        let status = get(&app, "/v1/auth/me", token).await.status;
        assert!(!admin || status == 401, "a token with the old role is good");
    }
    let last = Person::from(&refresh(&app, &refresh_token).await.json(200));
    assert_eq!(claims(&last.access)["role"], "viewer");
    assert_eq!(get(&app, "/v1/auth/me", &last.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_signed_out_and_stays_out() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let token = service_token(&app, "standalone", "auth").await;
    let path = format!("/internal/users/{}/disable", ada.user);
    for _ in 0..2 {
        assert_eq!(post(&app, &path, Some(&token), &json!({"reason": "abuse"})).await.status, 204);
    }
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.problem(401), "invalid_token");
    assert_eq!(refresh(&app, &ada.refresh).await.problem(401), "invalid_refresh_token");
    let (_, disabled) = events.wait::<UserDisabled>(|_| true).await;
    assert_eq!((disabled.user_id, disabled.reason.as_str()), (ada.user.to_string(), "abuse"));
    let (_, revoked) = events.wait::<SessionRevoked>(|_| true).await;
    assert_eq!(revoked.reason, "user_disabled");
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.revocations WHERE kind = 'user'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_told_as_its_snapshot_says() {
    let app = start().await;
    let events = app.record().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    crate::support::log_in(&app, "Ada").await;
    for _ in 0..10 {
        post(&app, "/v1/auth/login", None, &crate::support::credentials("Ada", "not the password")).await;
    }
    let key = keys::make(&app, &ada, &json!({"name": "build server", "scopes": ["ai:invoke"]})).await;
    let name = json!({"name": "test server", "allowed_networks": ["192.0.2.0/24"]});
    keys::patch(&app, &ada, &key.id, &name).await.json::<Value>(200);
    app.clock.advance(chrono::TimeDelta::minutes(15));
    let next = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    let body = json!({"current_password": crate::support::PASSWORD, "new_password": "seventeen brisk otters waltzing"});
    assert_eq!(post(&app, "/v1/auth/password/change", Some(&next.access), &body).await.status, 204);
    tell(&app, 2, membership.role_changed(Role::Viewer)).await;
    let token = service_token(&app, "standalone", "auth").await;
    let path = format!("/internal/users/{}/disable", ada.user);
    assert_eq!(post(&app, &path, Some(&token), &json!({"reason": "admin"})).await.status, 204);
    app.clock.advance(chrono::TimeDelta::days(30));
    until("the next key is published", || async {
        count(&app, "SELECT count(*) AS n FROM auth.signing_keys").await == 2
    })
    .await;
    app.clock.advance(chrono::TimeDelta::hours(1));
    events.wait::<contracts::auth::v1::SigningKeyRotated>(|event| event.previous_signing_key_id.is_some()).await;
    events.wait::<UserDisabled>(|_| true).await;

    let mut kinds: Vec<CloudEvent> =
        events.all().into_iter().filter(|event| event.source == "/brainops/auth").collect();
    kinds.sort_by(|a, b| a.event_type.cmp(&b.event_type));
    kinds.dedup_by(|a, b| a.event_type == b.event_type);
    let shapes: Vec<Value> = kinds.iter().map(shape).collect();
    insta::assert_json_snapshot!(shapes);
}

/// An event with what changes from run to run replaced by its form.
fn shape(event: &CloudEvent) -> Value {
    fn redact(value: &mut Value) {
        match value {
            Value::Object(map) => map.values_mut().for_each(redact),
            Value::Array(items) => items.iter_mut().for_each(redact),
            Value::String(text) if text.parse::<uuid::Uuid>().is_ok() => *value = json!("<uuid>"),
            Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => *value = json!("<time>"),
            Value::String(text) if text.starts_with("00-") && text.len() == 55 => *value = json!("<traceparent>"),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(&event.to_json().unwrap()).unwrap();
    // Whether somebody traces is the caller's business; the order of kinds in between is the broker's.
    value.as_object_mut().unwrap().retain(|key, _| key != "traceparent" && key != "sequence");
    redact(&mut value);
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_sessions_are_told_to_services_that_start() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    assert_eq!(post(&app, "/v1/auth/logout", Some(&ada.access), &json!({})).await.status, 204);
    let token = service_token(&app, "gateway", "auth").await;
    let list: Value = get(&app, "/internal/revocations", &token).await.json(200);
    let expected = json!([{"kind": "session", "id": ada.session(), "at": "2026-03-02T12:00:00Z", "until": "2026-03-02T12:10:30Z"}]);
    assert_eq!(list["items"], expected);
    app.clock.advance(chrono::TimeDelta::seconds(631));
    let token = service_token(&app, "gateway", "auth").await;
    until("it no longer matters", || async {
        get(&app, "/internal/revocations", &token).await.json::<Value>(200)["items"] == json!([])
    })
    .await;
}
