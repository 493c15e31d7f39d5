//! Every endpoint that takes a body answers nonsense with a problem that names the fields; nothing is stored.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use crate::support::{App, Person, count, post, register, registration, service_token, start};

/// Path and a body that is right, of every operation with a JSON body.
fn bodies(ada: &Person) -> Vec<(String, Value)> {
    let secret = "vexing quilt marmalade tundra";
    vec![
        ("/v1/auth/register".into(), registration("New")),
        ("/v1/auth/login".into(), json!({"email": "ada@example.org", "password": secret})),
        ("/v1/auth/token/refresh".into(), json!({"refresh_token": "bo_rt_x"})),
        ("/v1/auth/switch-organization".into(), json!({"organization_id": ada.org})),
        ("/v1/auth/password/change".into(), json!({"current_password": secret, "new_password": secret})),
        ("/v1/auth/api-keys".into(), json!({"name": "build server", "scopes": ["ai:invoke"]})),
        ("/internal/api-keys/exchange".into(), json!({"key": "bo_live_x"})),
        (format!("/internal/users/{}/disable", ada.user), json!({"reason": "admin"})),
    ]
}

async fn token_for(app: &App, path: &str, ada: &Person) -> String {
    if path.starts_with("/internal/") { service_token(app, "standalone", "auth").await } else { ada.access.clone() }
}

async fn send(app: &App, path: &str, token: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = app.request(Method::POST, path).bearer_auth(token).header("content-type", "application/json");
    Answer::to(request.body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_named_and_never_stored() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    for (path, right) in bodies(&ada) {
        let token = token_for(&app, &path, &ada).await;
        let mut fields: Vec<_> = right.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(send(&app, &path, &token, "{").await.problem(400), "malformed_json", "{path}");
        assert_eq!(send(&app, &path, &token, "[]").await.status, 422, "{path}");
        assert_eq!(send(&app, &path, &token, "{}").await.bad_fields(422), fields, "{path} without fields");
        assert_eq!(send(&app, &path, &token, vec![b' '; 2 << 20]).await.problem(413), "payload_too_large", "{path}");
        let text = Answer::to(app.request(Method::POST, &path).bearer_auth(&token).body("{}")).await;
        assert_eq!(text.problem(415), "unsupported_media_type", "{path}");
        for field in &fields {
            for wrong in [json!(7), json!(null), json!({}), json!("a\u{0}b"), json!("")] {
                let mut body = right.clone();
                body[field] = wrong.clone();
                let answer = post(&app, &path, Some(&token), &body).await;
                assert_eq!(answer.bad_fields(422), [field.as_str()], "{path} {field} = {wrong}");
            }
        }
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.users").await, 1);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys").await, 0);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.sessions WHERE revoked_at IS NULL").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mass_assignment_is_refused() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    for (path, right) in bodies(&ada) {
        let token = token_for(&app, &path, &ada).await;
        for (field, value) in
            [("role", json!("owner")), ("org_id", json!(ada.org)), ("is_admin", json!(true)), ("id", json!(ada.user))]
        {
            let mut body = right.clone();
            body[field] = value;
            let answer = post(&app, &path, Some(&token), &body).await;
            assert_eq!(answer.problem(422), "validation_failed", "{path} with {field}");
            assert_eq!(answer.bad_fields(422), [field], "{path} with {field}");
        }
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.users WHERE disabled_at IS NULL").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_of_a_registration_is_named_at_once() {
    let app = start().await;
    let body = json!({"email": "nobody", "password": "short", "display_name": " \t "});
    let answer = post(&app, "/v1/auth/register", None, &body).await;
    assert_eq!(answer.bad_fields(422), ["display_name", "email", "password"]);
    let long = json!({"email": format!("{}@example.org", "a".repeat(300)), "password": "a".repeat(257), "display_name": "x".repeat(101)});
    let answer = post(&app, "/v1/auth/register", None, &long).await;
    assert_eq!(answer.bad_fields(422), ["display_name", "email", "password"]);
}
