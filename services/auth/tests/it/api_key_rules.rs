//! What nobody may do with API keys: give more than they have, touch those of others, or have too many.

use chrono::TimeDelta;
use contracts::Role;
use futures_util::future::join_all;
use kit::{Ids as _, RandomIds};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use crate::support::{
    PASSWORD, Person, claims, count, get, join,
    keys::{self, Key},
    member, post, refresh, register, roles, start, tell,
};

fn with_scopes(scopes: &[&str]) -> Value {
    json!({"name": "build server", "scopes": scopes})
}

/// The fields that a refusal names.
fn not_grantable(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.problem(403), "not_grantable");
    let body = answer.problem_body(403);
    body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_a_scope_that_they_do_not_have() {
    let app = start().await;
    let (bob, membership) = member(&app, "Bob", Role::Member).await;
    for scope in ["ai:write", "organizations:delete"] {
        let answer = keys::create(&app, &bob.access, &with_scopes(&["ai:read", scope])).await;
        assert_eq!(not_grantable(&answer), ["scopes"]);
    }
    let key = keys::make(&app, &bob, &with_scopes(&["ai:invoke"])).await;
    let wider = keys::patch(&app, &bob, &key.id, &with_scopes(&["ai:invoke", "ai:write"])).await;
    assert_eq!(not_grantable(&wider), ["scopes"]);

    // Promoted, they may; demoted, they keep what the key says, of which the role allows less, and may not add to it.
    tell(&app, 2, membership.role_changed(Role::Admin)).await;
    let bob = keys::signed_in_anew(&app, &bob, PASSWORD).await;
    assert_eq!(keys::patch(&app, &bob, &key.id, &with_scopes(&["ai:invoke", "ai:write"])).await.status, 200);
    tell(&app, 3, membership.role_changed(Role::Member)).await;
    let bob = keys::signed_in_anew(&app, &bob, PASSWORD).await;
    assert_eq!(claims(&keys::token(&app, &key.text).await)["scope"], "ai:invoke");
    assert_eq!(keys::patch(&app, &bob, &key.id, &json!({"name": "renamed"})).await.status, 200);
    let more = with_scopes(&["ai:invoke", "ai:write", "members:write"]);
    assert_eq!(not_grantable(&keys::patch(&app, &bob, &key.id, &more).await), ["scopes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_others_do_not_exist_and_admins_see_and_end_them_only() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    let (bob, _) = join(&app, register(&app, "Bob").await, membership.org, Role::Member).await;
    let (eve, _) = join(&app, register(&app, "Eve").await, membership.org, Role::Member).await;
    let mallory = register(&app, "Mallory").await;
    let key = keys::make(&app, &bob, &keys::body()).await;
    for stranger in [&eve, &mallory] {
        let answers = [
            keys::read(&app, stranger, &key.id).await,
            keys::patch(&app, stranger, &key.id, &json!({"name": "mine"})).await,
            keys::rotate(&app, stranger, &key.id, &json!({})).await,
            keys::revoke(&app, stranger, &key.id).await,
        ];
        for answer in answers {
            assert_eq!(answer.problem(404), "api_key_not_found");
        }
    }
    assert_eq!(keys::read(&app, &ada, &key.id).await.json::<Value>(200)["user_id"], json!(bob.user));
    assert_eq!(keys::patch(&app, &ada, &key.id, &json!({"name": "mine"})).await.problem(403), "not_key_owner");
    assert_eq!(keys::rotate(&app, &ada, &key.id, &json!({})).await.problem(403), "not_key_owner");
    assert!(keys::works(&app, &key.text).await);
    assert_eq!(keys::revoke(&app, &ada, &key.id).await.status, 204);
    assert!(!keys::works(&app, &key.text).await);
    for unknown in [RandomIds.uuid().to_string(), "not-an-id".to_owned()] {
        keys::read(&app, &ada, &unknown).await.problem(404);
        keys::revoke(&app, &ada, &unknown).await.problem(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_needs_a_recent_sign_in_and_taking_does_not() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &with_scopes(&["ai:read", "ai:invoke"])).await;
    let doomed = keys::make(&app, &ada, &keys::body()).await;
    app.clock.advance(TimeDelta::minutes(10) + TimeDelta::seconds(1));
    let ada = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    let refused = [
        keys::create(&app, &ada.access, &keys::body()).await,
        keys::rotate(&app, &ada, &key.id, &json!({})).await,
        keys::patch(&app, &ada, &key.id, &with_scopes(&["ai:read", "ai:invoke", "ai:write"])).await,
    ];
    for answer in refused {
        assert_eq!(answer.problem(401), "reauthentication_required");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"600\""));
    }
    let narrower =
        json!({"scopes": ["ai:read"], "expires_at": "2026-05-01T00:00:00Z", "allowed_networks": ["10.0.0.0/8"]});
    assert_eq!(keys::patch(&app, &ada, &key.id, &narrower).await.status, 200);
    for wider in
        [json!({"expires_at": null}), json!({"allowed_networks": []}), json!({"expires_at": "2026-05-02T00:00:00Z"})]
    {
        assert_eq!(keys::patch(&app, &ada, &key.id, &wider).await.problem(401), "reauthentication_required");
    }
    assert_eq!(keys::revoke(&app, &ada, &doomed.id).await.status, 204);
    let ada = keys::signed_in_anew(&app, &ada, PASSWORD).await;
    assert_eq!(keys::patch(&app, &ada, &key.id, &json!({"expires_at": null})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_no_key_that_allows_more_than_itself() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let strong = keys::make(&app, &ada, &with_scopes(&["ai:invoke", "ai:write"])).await;
    let manager = json!({
        "name": "manager", "scopes": ["api_keys:read", "api_keys:write", "ai:read"],
        "expires_at": "2026-04-01T00:00:00Z", "allowed_networks": ["10.0.0.0/8"],
    });
    let manager = keys::make(&app, &ada, &manager).await;
    let answer = keys::exchange(&app, &manager.text, Some("10.0.0.1")).await.json::<Value>(200);
    let program = Person { access: answer["access_token"].as_str().unwrap().to_owned(), ..ada.clone() };

    let wish = |scopes: &[&str], expires_at: Value, networks: &[&str]| json!({"name": "made", "scopes": scopes, "expires_at": expires_at, "allowed_networks": networks});
    let (soon, inside) = (json!("2026-03-20T00:00:00Z"), ["10.1.0.0/16"]);
    let refused = [
        (wish(&["ai:invoke"], soon.clone(), &inside), vec!["scopes"]),
        (wish(&["ai:read"], json!(null), &inside), vec!["expires_at"]),
        (wish(&["ai:read"], json!("2026-04-02T00:00:00Z"), &inside), vec!["expires_at"]),
        (wish(&["ai:read"], soon.clone(), &[]), vec!["allowed_networks"]),
        (wish(&["ai:write"], json!(null), &["0.0.0.0/0"]), vec!["scopes", "expires_at", "allowed_networks"]),
    ];
    for (body, fields) in refused {
        assert_eq!(not_grantable(&keys::create(&app, &program.access, &body).await), fields, "{body}");
    }
    let made = keys::make(&app, &program, &wish(&["ai:read"], soon, &inside)).await;

    // Nor does it get hold of a stronger one, prolong itself, or widen what it made; it may end any of its owner's.
    not_grantable(&keys::rotate(&app, &program, &strong.id, &json!({})).await);
    not_grantable(&keys::patch(&app, &program, &strong.id, &json!({"name": "mine"})).await);
    not_grantable(&keys::patch(&app, &program, &manager.id, &json!({"expires_at": null})).await);
    not_grantable(&keys::rotate(&app, &program, &manager.id, &json!({"expires_at": null})).await);
    not_grantable(&keys::patch(&app, &program, &made.id, &json!({"scopes": ["ai:read", "ai:invoke"]})).await);
    assert_eq!(keys::patch(&app, &program, &made.id, &json!({"scopes": ["api_keys:read"]})).await.status, 200);
    assert_eq!(keys::rotate(&app, &program, &made.id, &json!({})).await.status, 201);
    assert!(keys::works(&app, &strong.text).await);
    assert_eq!(keys::revoke(&app, &program, &strong.id).await.status, 204);
    let sql = format!("SELECT count(*) AS n FROM auth.audit_log WHERE details->>'by_api_key' = '{}'", manager.id);
    assert_eq!(count(&app, &sql).await, 5, "made, changed, rotated, its successor, revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_an_admin_ends_no_key_of_others() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Owner).await;
    let (bob, _) = join(&app, register(&app, "Bob").await, membership.org, Role::Member).await;
    let bobs = keys::make(&app, &bob, &keys::body()).await;
    let manager = keys::make(&app, &ada, &with_scopes(&["api_keys:read", "api_keys:write"])).await;
    let program = keys::program(&app, &ada, &manager.text).await;
    assert_eq!(keys::read(&app, &program, &bobs.id).await.status, 200);
    assert_eq!(keys::revoke(&app, &program, &bobs.id).await.problem(403), "not_key_owner");
    assert!(keys::works(&app, &bobs.text).await);
    assert_eq!(keys::revoke(&app, &ada, &bobs.id).await.status, 204, "in person she may");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_nothing_that_is_a_persons() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Owner).await;
    let all: Vec<_> = Role::Owner.scopes().iter().map(|scope| scope.as_str()).collect();
    let key = keys::make(&app, &ada, &with_scopes(&all)).await;
    let token = keys::token(&app, &key.text).await;
    let password = json!({"current_password": PASSWORD, "new_password": "seventeen brisk otters waltzing"});
    let session = format!("/v1/auth/sessions/{}", ada.session());
    let persons = [
        (Method::GET, "/v1/auth/sessions", None),
        (Method::DELETE, session.as_str(), None),
        (Method::POST, "/v1/auth/logout", None),
        (Method::POST, "/v1/auth/logout-all", None),
        (Method::POST, "/v1/auth/switch-organization", Some(json!({"organization_id": ada.org}))),
        (Method::POST, "/v1/auth/password/change", Some(password)),
    ];
    for (method, path, body) in persons {
        let answer = app.send(method.clone(), path, Some(&token), body.as_ref()).await;
        assert_eq!(answer.problem(403), "person_required", "{method} {path}");
    }
    assert_eq!(
        roles(&app, &token).await,
        [(membership.org, "owner".to_owned())],
        "and not what else its owner belongs to"
    );
    assert_eq!(get(&app, "/v1/auth/api-keys", &token).await.status, 200);

    let narrow = keys::make(&app, &ada, &with_scopes(&["ai:invoke"])).await;
    let token = keys::token(&app, &narrow.text).await;
    for (method, path) in [
        (Method::GET, "/v1/auth/me".to_owned()),
        (Method::GET, "/v1/auth/api-keys".to_owned()),
        (Method::GET, format!("/v1/auth/api-keys/{}", narrow.id)),
        (Method::DELETE, format!("/v1/auth/api-keys/{}", narrow.id)),
    ] {
        let answer = app.send(method.clone(), &path, Some(&token), None).await;
        assert_eq!(answer.problem(403), "insufficient_scope", "{method} {path}");
    }
    let made = keys::create(&app, &token, &with_scopes(&["ai:invoke"])).await;
    assert_eq!(made.problem(403), "insufficient_scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_keys_are_enough_also_when_many_are_made_at_once() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let first = keys::make(&app, &ada, &keys::body()).await;
    let sql = "INSERT INTO auth.api_keys SELECT gen_random_uuid(), org_id, user_id, environment, name, secret_hash, scopes, \
               allowed_networks, version, created_at, updated_at FROM auth.api_keys, generate_series(1, 94) RETURNING id::text AS line";
    assert_eq!(crate::support::lines(&app, sql).await.len(), 94);
    let answers = join_all((0..12).map(async |_| keys::create(&app, &ada.access, &keys::body()).await)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.problem(409), "too_many_api_keys");
    }
    let both = keys::rotate(&app, &ada, &first.id, &json!({"grace_seconds": 60})).await;
    assert_eq!(both.problem(409), "too_many_api_keys", "for a minute there would be 101");
    let next = Key::from(keys::rotate(&app, &ada, &first.id, &json!({})).await.json(201));
    assert_eq!(keys::revoke(&app, &ada, &next.id).await.status, 204);
    assert_eq!(post(&app, "/v1/auth/api-keys", Some(&ada.access), &keys::body()).await.status, 201);
    let bob = register(&app, "Bob").await;
    keys::make(&app, &bob, &keys::body()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_session_that_lost_the_organization_makes_no_key() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    tell(&app, 2, membership.removed()).await;
    // The token is void already; the row says the same to whoever gets past that.
    assert_eq!(keys::create(&app, &ada.access, &keys::body()).await.problem(401), "invalid_token");
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys").await, 0);
}
