use contracts::users::v1::{MembershipAdded, OrganizationCreated, ProfileUpdated};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::TestApp;
use users::Users;

use crate::support::{email, registered, welcomed};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_read_welcomes_whoever_was_faster_than_the_event() {
    let app = TestApp::<Users>::start().await;
    let events = app.record().await;
    let ada = registered(&app, "Ada Lovelace");

    let me: Value = app.get("/v1/users/me", &ada).await.json(200);
    assert_eq!(me["id"], ada.user.to_string());
    assert_eq!(me["display_name"], "Ada Lovelace");
    assert_eq!(me["email"], email(ada.user));
    assert_eq!((&me["locale"], &me["time_zone"], &me["version"]), (&json!("en"), &json!("UTC"), &json!(1)));

    let (envelope, created) = events.wait::<OrganizationCreated>(|_| true).await;
    assert_eq!(created.organization_id, ada.org.to_string());
    assert!(created.personal);
    assert_eq!((envelope.org, envelope.actor), (Some(ada.org), Some(ada.user.uuid())));
    let (_, added) = events.wait::<MembershipAdded>(|_| true).await;
    assert_eq!((added.user_id.as_str(), added.role.as_str()), (ada.user.to_string().as_str(), "owner"));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_first_reads_at_once_make_one_profile_and_one_organization() {
    let app = TestApp::<Users>::start().await;
    let ada = registered(&app, "Ada");
    let reads = (0..20).map(|_| app.get("/v1/users/me", &ada));
    for answer in futures_util::future::join_all(reads).await {
        // The pool is smaller than the storm; a busy answer is honest, a second organization would not be.
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
    }
    let list: Value = app.get("/v1/organizations", &ada).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_event_and_without_auth_the_profile_is_not_ready_yet() {
    let app = TestApp::<Users>::start().await;
    let ada = registered(&app, "Ada");
    // The keys are fetched first, so that the token itself still verifies.
    assert_eq!(app.get("/v1/organizations", &ada).await.status, 200);
    app.auth.stop().await;
    let answer = app.get("/v1/users/me", &ada).await;
    assert_eq!(answer.problem(503), "profile_not_ready");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_stored_versioned_and_published_whole() {
    let app = TestApp::<Users>::start().await;
    let events = app.record().await;
    let ada = welcomed(&app, "Ada").await;
    let change = json!({"display_name": "Countess", "locale": "en-GB", "time_zone": "Europe/London",
        "avatar_url": "https://example.org/ada.png", "preferences": {"theme": {"dark": true}}});
    let answer = app.patch("/v1/users/me", &ada, &change).await;
    let me: Value = answer.json(200);
    assert_eq!((answer.header("etag"), &me["version"]), (Some("\"2\""), &json!(2)));
    assert_eq!(me, app.get("/v1/users/me", &ada).await.json::<Value>(200));

    let (envelope, updated) = events.wait::<ProfileUpdated>(|_| true).await;
    assert_eq!(envelope.sequence, 2);
    assert_eq!(updated.avatar_url.as_deref(), Some("https://example.org/ada.png"));

    // A merge patch: what is absent stays, null removes, objects merge.
    let change = json!({"avatar_url": null, "preferences": {"theme": {"size": 2}}});
    let me: Value = app.patch("/v1/users/me", &ada, &change).await.json(200);
    assert_eq!(me["avatar_url"], Value::Null);
    assert_eq!(me["display_name"], "Countess");
    assert_eq!(me["preferences"], json!({"theme": {"dark": true, "size": 2}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_nothing_makes_no_version() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let me: Value = app.patch("/v1/users/me", &ada, &json!({"display_name": "Ada"})).await.json(200);
    assert_eq!(me["version"], 1);
    let me: Value = app.patch("/v1/users/me", &ada, &json!({})).await.json(200);
    assert_eq!(me["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_saw_the_same_version_one_is_told() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let token = app.auth.token(&ada);
    let change = |name: &str| {
        let request = app.request(Method::PATCH, "/v1/users/me").bearer_auth(&token).header("if-match", "\"1\"");
        testkit::Answer::to(request.json(&json!({"display_name": name})))
    };
    let (a, b) = tokio::join!(change("First"), change("Second"));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_and_nothing_is_stored() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let bad = json!({"display_name": "  ", "avatar_url": "http://plain.example", "locale": "not a locale",
        "time_zone": "Mars/Olympus", "preferences": null});
    let fields = app.patch("/v1/users/me", &ada, &bad).await.bad_fields(422);
    assert_eq!(fields, ["avatar_url", "display_name", "locale", "preferences", "time_zone"]);

    let large = json!({"preferences": {"x": "y".repeat(20_000)}});
    assert_eq!(app.patch("/v1/users/me", &ada, &large).await.problem(422), "preferences_too_large");
    let nul = json!({"display_name": "a\u{0}b"});
    assert_eq!(app.patch("/v1/users/me", &ada, &nul).await.status, 422);
    let me: Value = app.get("/v1/users/me", &ada).await.json(200);
    assert_eq!((&me["display_name"], &me["version"]), (&json!("Ada"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_assigns_what_is_not_theirs_to_assign() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    for field in ["id", "user_id", "email", "version", "role", "org_id", "is_admin", "created_at"] {
        let answer = app.patch("/v1/users/me", &ada, &json!({field: "x"})).await;
        assert_eq!(answer.bad_fields(422), [field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object_is_refused_by_kind() {
    let app = TestApp::<Users>::start().await;
    let ada = welcomed(&app, "Ada").await;
    let token = app.auth.token(&ada);
    let send = |body: Vec<u8>, kind: &'static str| {
        let request = app.request(Method::PATCH, "/v1/users/me").bearer_auth(&token).header("content-type", kind);
        testkit::Answer::to(request.body(body))
    };
    assert_eq!(send(b"{\"display_name\":".to_vec(), "application/json").await.status, 400);
    assert_eq!(send(b"{}".to_vec(), "text/plain").await.status, 415);
    assert_eq!(send(b"[]".to_vec(), "application/json").await.status, 422);
    assert_eq!(send(b"{\"display_name\":7}".to_vec(), "application/json").await.bad_fields(422), ["display_name"]);
    assert_eq!(send(b"{\"display_name\":\"\xff\"}".to_vec(), "application/json").await.status, 422);
    assert_eq!(send(vec![b' '; (1 << 20) + 1], "application/json").await.status, 413);
    let deep = format!("{{\"preferences\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
    assert_eq!(send(deep.into_bytes(), "application/json").await.status, 422);
}
