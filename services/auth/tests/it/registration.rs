use contracts::{
    Role,
    auth::v1::{SessionStarted, UserRegistered},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{builder, claims, count, get, header, lines, post, post_from, register, registration, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_token_is_complete() {
    let app = start().await;
    let answer = post(&app, "/v1/auth/register", None, &registration("Ada")).await;
    assert_eq!((answer.header("location"), answer.header("cache-control")), (Some("/v1/auth/me"), Some("no-store")));
    let tokens: Value = answer.json(201);
    let token = tokens["access_token"].as_str().unwrap();

    let said = claims(token);
    let scopes: Vec<_> = Role::Owner.scopes().iter().map(|scope| scope.as_str()).collect();
    assert_eq!(said["org"], tokens["organization"]["id"]);
    assert_eq!((&said["role"], &said["scope"]), (&json!("owner"), &json!(scopes.join(" "))));
    assert_eq!((&said["sub"], &said["amr"]), (&tokens["user"]["id"], &json!(["pwd"])));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 600);
    for claim in ["iss", "aud", "sid", "auth_time", "nbf", "jti"] {
        assert!(!said[claim].is_null(), "{claim} in {said}");
    }
    assert_eq!((&header(token)["typ"], &header(token)["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(600), &json!(14 * 86_400)));

    let me: Value = get(&app, "/v1/auth/me", token).await.json(200);
    assert_eq!(me["user"], tokens["user"]);
    assert_eq!(me["personal_organization_id"], tokens["organization"]["id"]);
    assert_eq!(me["organizations"], json!([{"id": tokens["organization"]["id"], "role": "owner"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_is_told_as_events() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let (envelope, registered) = events.wait::<UserRegistered>(|_| true).await;
    assert_eq!((registered.user_id, registered.organization_id), (ada.user.to_string(), ada.org.to_string()));
    assert_eq!((registered.email.as_str(), registered.display_name.as_str()), ("ada@example.org", "Ada"));
    assert_eq!((envelope.org, envelope.actor), (Some(ada.org), Some(ada.user.uuid())));
    let (_, started) = events.wait::<SessionStarted>(|_| true).await;
    assert_eq!((started.session_id, started.user_id), (ada.session().to_string(), ada.user.to_string()));
    let audited =
        lines(&app, "SELECT action || ' ' || subject_id AS line FROM auth.audit_log WHERE actor_id IS NOT NULL").await;
    assert_eq!(audited, [format!("user.registered {}", ada.user)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_told_whatever_its_capitals() {
    let app = start().await;
    register(&app, "Ada").await;
    let again =
        json!({"email": "ADA@Example.org", "password": "seventeen brisk otters waltzing", "display_name": "Eve"});
    let answer = post(&app, "/v1/auth/register", None, &again).await;
    assert_eq!(answer.problem(409), "email_unavailable");
    assert_eq!(answer.bad_fields(409), ["email"]);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_registrations_of_one_address_at_once_one_succeeds() {
    let app = start().await;
    let answers =
        join_all((0..10).map(|_| async { post(&app, "/v1/auth/register", None, &registration("Ada")).await.status }))
            .await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 9, "{answers:?}");
    for table in ["users", "credentials", "sessions", "memberships", "refresh_tokens"] {
        assert_eq!(count(&app, &format!("SELECT count(*) AS n FROM auth.{table}")).await, 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_limited_by_source_whether_they_succeed_or_not() {
    let app = builder().env("BRAINOPS_AUTH_REGISTER_LIMIT", "3").start().await;
    let from = async |source: &str, name: &str| post_from(&app, source, "/v1/auth/register", &registration(name)).await;
    assert_eq!(from("192.0.2.1", "Ada").await.status, 201);
    assert_eq!(from("192.0.2.1", "Ada").await.status, 409);
    assert_eq!(from("192.0.2.1", "Bob").await.status, 201);
    let free = from("192.0.2.1", "Cleo").await;
    assert_eq!(free.problem(429), "too_many_attempts");
    assert_eq!(free.header("retry-after"), Some("3600"));
    assert_eq!(from("192.0.2.1", "Ada").await.status, 429, "a taken address is no longer told from a free one");
    assert_eq!(from("192.0.2.2", "Cleo").await.status, 201, "another source is not concerned");
    app.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(from("192.0.2.1", "Dora").await.status, 201, "the window is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_passwords_are_refused_and_nothing_is_stored() {
    let app = start().await;
    for weak in ["password1234", "Jane.Doolittle1", "brainopsbrainops", "qwertyuiop123", "jane@example.org"] {
        let body = json!({"email": "jane@example.org", "password": weak, "display_name": "Jane Doolittle"});
        let answer = post(&app, "/v1/auth/register", None, &body).await;
        assert_eq!(answer.problem(422), "password_rejected", "{weak}");
        assert_eq!(answer.bad_fields(422), ["password"]);
        assert!(!answer.text().contains(weak), "the answer repeats the password: {}", answer.text());
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.users").await, 0);
}
