use chrono::TimeDelta;
use contracts::{OrgId, Role, auth::v1::SessionRevoked};
use kit::{NewId as _, RandomIds};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use crate::support::{
    App, Membership, Person, claims, consumed, get, log_in, post, publish, refresh, register, registration, replica,
    roles, start, until,
};

async fn delete(app: &App, id: impl std::fmt::Display, token: &str) -> Answer {
    app.send(Method::DELETE, &format!("/v1/auth/sessions/{id}"), Some(token), None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_where_they_are_signed_in() {
    let app = start().await;
    let request = app.request(Method::POST, "/v1/auth/register");
    let request = request.header("user-agent", "curl/8.5").header("x-forwarded-for", "192.0.2.7");
    let first = Person::from(&Answer::to(request.json(&registration("Ada"))).await.json(201));
    app.clock.advance(TimeDelta::minutes(5));
    let second = log_in(&app, "Ada").await;
    register(&app, "Bob").await;
    let list: Value = get(&app, "/v1/auth/sessions", &first.access).await.json(200);
    let items = list["items"].as_array().unwrap();
    let of = |key: &str| items.iter().map(|item| item[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("id"), [json!(second.session()), json!(first.session())], "the last used first, and nobody else's");
    assert_eq!(of("current"), [json!(false), json!(true)]);
    assert_eq!((&items[1]["user_agent"], &items[1]["address"]), (&json!("curl/8.5"), &json!("192.0.2.7")));
    assert_eq!(items[0]["last_seen_at"], "2026-03-02T12:05:00Z");
    assert_eq!(items[0]["expires_at"], "2026-05-31T12:05:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_token_is_refused_after_logout() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    assert_eq!(post(&app, "/v1/auth/logout", Some(&ada.access), &json!({})).await.status, 204);
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.problem(401), "invalid_token");
    assert_eq!(refresh(&app, &ada.refresh).await.problem(401), "invalid_refresh_token");
    let (_, revoked) = events.wait::<SessionRevoked>(|_| true).await;
    assert_eq!((revoked.session_id, revoked.reason.as_str()), (ada.session().to_string(), "logout"));
    log_in(&app, "Ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_refuses_the_token_within_five_seconds() {
    let app = start().await;
    let other = replica(&app).await;
    let ada = register(&app, "Ada").await;
    assert_eq!(get(&other, "/v1/auth/me", &ada.access).await.status, 200, "replicas share their keys");
    let begun = std::time::Instant::now();
    assert_eq!(post(&app, "/v1/auth/logout", Some(&ada.access), &json!({})).await.status, 204);
    until("the other replica knows", || async { get(&other, "/v1/auth/me", &ada.access).await.status == 401 }).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    // And one that starts later knows too.
    let late = replica(&app).await;
    until("the late replica knows", || async { get(&late, "/v1/auth/me", &ada.access).await.status == 401 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_everywhere_ends_all_of_ones_sessions_and_no_other() {
    let app = start().await;
    let (first, bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    let second = log_in(&app, "Ada").await;
    assert_eq!(post(&app, "/v1/auth/logout-all", Some(&second.access), &json!({})).await.status, 204);
    for ended in [&first, &second] {
        assert_eq!(get(&app, "/v1/auth/me", &ended.access).await.status, 401);
        assert_eq!(refresh(&app, &ended.refresh).await.status, 401);
    }
    assert_eq!(get(&app, "/v1/auth/me", &bob.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_ended_from_another_device_and_by_its_owner_only() {
    let app = start().await;
    let (first, bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    let second = log_in(&app, "Ada").await;
    assert_eq!(delete(&app, first.session(), &bob.access).await.problem(404), "session_not_found");
    assert_eq!(delete(&app, RandomIds.uuid_text(), &second.access).await.problem(404), "session_not_found");
    assert_eq!(delete(&app, "not-an-id", &second.access).await.problem(404), "not_found");
    for _ in 0..2 {
        assert_eq!(delete(&app, first.session(), &second.access).await.status, 204, "twice is as good as once");
    }
    assert_eq!(get(&app, "/v1/auth/me", &first.access).await.status, 401);
    assert_eq!(refresh(&app, &first.refresh).await.status, 401);
    assert_eq!(get(&app, "/v1/auth/me", &second.access).await.status, 200);
}

trait UuidText {
    fn uuid_text(&self) -> String;
}

impl UuidText for RandomIds {
    fn uuid_text(&self) -> String {
        kit::Ids::uuid(self).to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_changes_where_the_session_acts_and_stays_after_a_refresh() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let org: OrgId = RandomIds.new();
    let event = publish(&app, 1, Membership::new(org, ada.user).added(Role::Viewer)).await;
    consumed(&app, event).await;

    let switched: Value = switch(&app, &ada.access, org).await.json(200);
    let token = switched["access_token"].as_str().unwrap();
    assert_eq!((&claims(token)["org"], &claims(token)["role"]), (&json!(org), &json!("viewer")));
    assert_eq!(claims(token)["sid"], claims(&ada.access)["sid"]);
    let viewer: Vec<_> = Role::Viewer.scopes().iter().map(|scope| scope.as_str()).collect();
    assert_eq!(switched["scope"], viewer.join(" "));
    assert_eq!(switched["organization"], json!({"id": org, "role": "viewer"}));
    assert_eq!(roles(&app, token).await.len(), 2);

    let next: Value = refresh(&app, &ada.refresh).await.json(200);
    assert_eq!(next["organization"]["id"], json!(org), "the session remembers");
    let back: Value = switch(&app, token, ada.org).await.json(200);
    assert_eq!(back["organization"]["role"], "owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_switching_to_where_one_does_not_belong() {
    let app = start().await;
    let (ada, bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    assert_eq!(switch(&app, &ada.access, bob.org).await.problem(404), "organization_not_found");
    assert_eq!(switch(&app, &ada.access, RandomIds.new()).await.problem(404), "organization_not_found");
}

async fn switch(app: &App, token: &str, org: OrgId) -> Answer {
    post(app, "/v1/auth/switch-organization", Some(token), &json!({"organization_id": org})).await
}
