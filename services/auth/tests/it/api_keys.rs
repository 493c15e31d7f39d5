//! The life of an API key as its owner sees it: made, listed, changed, rotated, revoked.

use chrono::TimeDelta;
use contracts::{
    Role,
    auth::v1::{ApiKeyCreated, ApiKeyRevoked, ApiKeyUpdated},
};
use futures_util::future::join_all;
use kit::auth::{ApiKeyEnvironment, ApiKeyText};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use crate::support::{
    App, PASSWORD, Person, count, get, join,
    keys::{self, Key},
    lines, member, register, start, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_told_of() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let body = json!({
        "name": " build server ", "scopes": ["ai:invoke", "ai:read", "ai:read"], "environment": "test",
        "expires_at": "2026-06-01T00:00:00+02:00", "allowed_networks": ["198.51.100.7", "2001:DB8::/32"],
    });
    let answer = keys::create(&app, &ada.access, &body).await;
    let key = Key::from(answer.json(201));
    let path = format!("/v1/auth/api-keys/{}", key.id);
    assert_eq!(answer.header("location"), Some(path.as_str()));
    assert_eq!((answer.header("etag"), answer.header("cache-control")), (Some("\"1\""), Some("no-store")));
    let text = ApiKeyText::parse(&key.text).unwrap();
    assert_eq!((text.id().to_string(), text.environment()), (key.id.clone(), ApiKeyEnvironment::Test));

    let read = keys::read(&app, &ada, &key.id).await;
    assert_eq!(read.header("etag"), Some("\"1\""));
    let view: Value = read.json(200);
    let expected = json!({
        "id": key.id, "prefix": key.text[..30], "name": "build server", "environment": "test",
        "scopes": ["ai:read", "ai:invoke"], "allowed_networks": ["198.51.100.7/32", "2001:db8::/32"],
        "status": "active", "user_id": ada.user, "organization_id": ada.org, "last_used_at": null,
        "expires_at": "2026-05-31T22:00:00Z", "revoked_at": null, "revoke_reason": null, "replaced_by": null,
        "version": 1, "created_at": "2026-03-02T12:00:00Z", "updated_at": "2026-03-02T12:00:00Z",
    });
    assert_eq!(view, expected);
    let mut issued = key.view.clone();
    issued.as_object_mut().unwrap().remove("key");
    assert_eq!(issued, expected, "the first answer differs by the key alone");

    let (event, created) = events.wait::<ApiKeyCreated>(|_| true).await;
    assert_eq!((event.org, event.sequence), (Some(ada.org), 1));
    assert_eq!(
        (created.api_key_id, created.scopes),
        (key.id.clone(), vec!["ai:read".to_owned(), "ai:invoke".to_owned()])
    );
    assert_eq!(created.user_id, Some(ada.user.to_string()));
    let sql = "SELECT action || ' ' || subject_id || ' ' || org_id || ' ' || actor_id AS line FROM auth.audit_log WHERE subject_type = 'api_key'";
    assert_eq!(lines(&app, sql).await, [format!("api_key.created {} {} {}", key.id, ada.org, ada.user)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_named_at_once_and_never_made() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let all = json!({"name": " ", "scopes": [], "allowed_networks": ["10.1.2.3/8"], "environment": "staging"});
    let bad = keys::create(&app, &ada.access, &all).await.bad_fields(422);
    assert_eq!(bad, ["allowed_networks", "environment", "name", "scopes"]);
    let cases = [
        ("name", json!("x".repeat(101))),
        ("name", json!("a\nb")),
        ("scopes", json!(["ai:invoke", "ai:everything"])),
        ("scopes", json!(["ai:invoke ai:read"])),
        ("scopes", json!(vec!["ai:read"; 65])),
        ("expires_at", json!("2026-03-02T12:00:00Z")),
        ("expires_at", json!("2036-03-03T12:00:00Z")),
        ("expires_at", json!("tomorrow")),
        ("allowed_networks", json!(["example.org"])),
        ("allowed_networks", json!(["::ffff:10.0.0.0/104"])),
        ("allowed_networks", json!(vec!["10.0.0.1"; 51])),
        ("environment", json!(7)),
        ("user_id", json!(ada.user)),
        ("version", json!(7)),
    ];
    for (field, value) in cases {
        let mut body = keys::body();
        body[field] = value.clone();
        let bad = keys::create(&app, &ada.access, &body).await.bad_fields(422);
        assert!(bad.iter().all(|bad| bad.starts_with(field)) && !bad.is_empty(), "{field} = {value}: {bad:?}");
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys").await, 0);
}

/// The ids of a list, page by page.
async fn listed(app: &App, who: &Person, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/auth/api-keys?limit=2{query}{cursor}");
        let page: Value = get(app, &path, &who.access).await.json(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2 && items.iter().all(|item| item["key"].is_null()));
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_ones_own_newest_first_and_an_admins_are_everybodys() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    let bob = register(&app, "Bob").await;
    let elsewhere = keys::make(&app, &bob, &keys::body()).await;
    let (bob, _) = join(&app, bob, membership.org, Role::Member).await;
    let mut made = Vec::new();
    for (n, who) in [&ada, &bob, &ada, &bob, &ada].into_iter().enumerate() {
        let environment = if n == 4 { "test" } else { "live" };
        let mut body = keys::body();
        body["environment"] = json!(environment);
        body["expires_at"] = if n == 2 { json!("2026-03-02T12:30:00Z") } else { json!(null) };
        made.push(keys::make(&app, who, &body).await.id);
        app.clock.advance(TimeDelta::seconds(1));
    }
    let of = |places: &[usize]| places.iter().map(|at| made[*at].clone()).collect::<Vec<_>>();
    assert_eq!(listed(&app, &ada, "").await, of(&[4, 2, 0]));
    assert_eq!(listed(&app, &bob, "&owner=me").await, of(&[3, 1]), "not the one of another organization");
    assert_eq!(listed(&app, &ada, "&owner=organization").await, of(&[4, 3, 2, 1, 0]));
    assert_eq!(listed(&app, &ada, "&environment=test").await, of(&[4]));
    assert_eq!(keys::revoke(&app, &ada, &made[1]).await.status, 204);
    app.clock.set("2026-03-02T12:30:00Z".parse().unwrap());
    let ada = keys::signed_in_anew(&app, &ada, PASSWORD).await;
    let status = async |status: &str| listed(&app, &ada, &format!("&owner=organization&status={status}")).await;
    assert_eq!((status("active").await, status("revoked").await), (of(&[4, 3, 0]), of(&[1])));
    assert_eq!(status("expired").await, of(&[2]));
    assert!(!listed(&app, &ada, "&owner=organization").await.contains(&elsewhere.id));

    let bob = keys::signed_in_anew(&app, &bob, PASSWORD).await;
    let list = async |who: &Person, query: &str| get(&app, &format!("/v1/auth/api-keys{query}"), &who.access).await;
    assert_eq!(list(&bob, "?owner=organization").await.problem(403), "role_insufficient");
    let page: Value = list(&ada, "?limit=1").await.json(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for (who, query) in [(&ada, "&owner=organization"), (&ada, "&status=active"), (&bob, "")] {
        let answer = list(who, &format!("?cursor={cursor}{query}")).await;
        assert_eq!(answer.problem(400), "invalid_cursor", "a cursor is for its own list: {query}");
    }
    for query in ["?status=late", "?owner=bob", "?offset=3", "?limit=0"] {
        assert_eq!(list(&ada, query).await.problem(400), "invalid_parameter", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_changes_what_it_names_and_nothing_changes_nothing() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    app.clock.advance(TimeDelta::minutes(1));
    let change =
        json!({"scopes": ["ai:read"], "expires_at": "2026-04-01T00:00:00Z", "allowed_networks": ["10.0.0.0/8"]});
    let answer = keys::patch(&app, &ada, &key.id, &change).await;
    let view: Value = answer.json(200);
    assert_eq!(
        (answer.header("etag"), &view["version"], &view["name"]),
        (Some("\"2\""), &json!(2), &json!("build server"))
    );
    assert_eq!((&view["scopes"], &view["updated_at"]), (&json!(["ai:read"]), &json!("2026-03-02T12:01:00Z")));
    for nothing in [json!({}), change] {
        assert_eq!(keys::patch(&app, &ada, &key.id, &nothing).await.json::<Value>(200), view);
    }
    let open = json!({"name": "laptop", "expires_at": null, "allowed_networks": null});
    let view: Value = keys::patch(&app, &ada, &key.id, &open).await.json(200);
    assert_eq!(
        (&view["expires_at"], &view["allowed_networks"], &view["name"]),
        (&json!(null), &json!([]), &json!("laptop"))
    );
    let (event, updated) = events.wait::<ApiKeyUpdated>(|event| event.name == "laptop").await;
    assert_eq!((event.sequence, updated.reason.as_str(), updated.network_restricted), (3, "edited", false));
    for (field, bad) in [
        ("name", json!(null)),
        ("scopes", json!(null)),
        ("scopes", json!([])),
        ("expires_at", json!("2026-03-02T12:00:00Z")),
        ("allowed_networks", json!("10.0.0.0/8")),
        ("environment", json!("test")),
        ("status", json!("active")),
    ] {
        let answer = keys::patch(&app, &ada, &key.id, &json!({ field: bad })).await;
        assert_eq!(answer.bad_fields(422), [field]);
    }
    assert_eq!(keys::read(&app, &ada, &key.id).await.json::<Value>(200), view);
}

async fn patch_if(app: &App, who: &Person, id: &str, tag: &str, body: &Value) -> Answer {
    let request = app.request(Method::PATCH, &format!("/v1/auth/api-keys/{id}")).bearer_auth(&who.access);
    Answer::to(request.header("if-match", tag).json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_saw_the_same_version_one_changes_it() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    let renamed = (0..8).map(|n| json!({"name": format!("name {n}")})).collect::<Vec<_>>();
    let answers = join_all(renamed.iter().map(|body| patch_if(&app, &ada, &key.id, "\"1\"", body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    let stale = async |tag: &str| {
        let request = app.request(Method::DELETE, &format!("/v1/auth/api-keys/{}", key.id)).bearer_auth(&ada.access);
        Answer::to(request.header("if-match", tag)).await
    };
    assert_eq!(stale("\"1\"").await.problem(412), "precondition_failed");
    assert!(keys::works(&app, &key.text).await);
    assert_eq!(stale("\"2\"").await.status, 204);
    assert_eq!(stale("\"2\"").await.status, 204, "repeated with the version of before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_opens_nothing_and_its_tokens_neither() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &json!({"name": "x", "scopes": ["users:read"]})).await;
    let program = keys::program(&app, &ada, &key.text).await;
    assert_eq!(get(&app, "/v1/auth/me", &program.access).await.status, 200);
    for _ in 0..2 {
        assert_eq!(keys::revoke(&app, &ada, &key.id).await.status, 204, "twice is as good as once");
    }
    assert!(!keys::works(&app, &key.text).await);
    assert_eq!(get(&app, "/v1/auth/me", &program.access).await.problem(401), "invalid_token");
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.status, 200, "the person goes on");
    let view: Value = keys::read(&app, &ada, &key.id).await.json(200);
    assert_eq!(
        (&view["status"], &view["revoke_reason"], &view["version"]),
        (&json!("revoked"), &json!("revoked"), &json!(2))
    );
    let (event, revoked) = events.wait::<ApiKeyRevoked>(|_| true).await;
    assert_eq!((revoked.api_key_id.as_str(), revoked.reason.as_str(), event.sequence), (key.id.as_str(), "revoked", 2));

    let token = crate::support::service_token(&app, "users", "auth").await;
    let list: Value = get(&app, "/internal/revocations", &token).await.json(200);
    let expected =
        json!([{"kind": "api_key", "id": key.id, "at": "2026-03-02T12:00:00Z", "until": "2026-03-02T12:01:30Z"}]);
    assert_eq!(list["items"], expected, "for services that start now");
    for change in [
        keys::patch(&app, &ada, &key.id, &json!({"name": "y"})).await,
        keys::rotate(&app, &ada, &key.id, &json!({})).await,
    ] {
        assert_eq!(change.problem(409), "api_key_not_active");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_refuses_the_tokens_of_a_key_that_another_one_revoked() {
    let app = start().await;
    let other = crate::support::replica(&app).await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &json!({"name": "x", "scopes": ["users:read"]})).await;
    let token = keys::token(&app, &key.text).await;
    assert_eq!(get(&other, "/v1/auth/me", &token).await.status, 200);
    let begun = std::time::Instant::now();
    assert_eq!(keys::revoke(&app, &ada, &key.id).await.status, 204);
    until("the other replica knows", || async { get(&other, "/v1/auth/me", &token).await.status == 401 }).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    let late = crate::support::replica(&app).await;
    until("the late replica knows", || async { get(&late, "/v1/auth/me", &token).await.status == 401 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grace_the_old_key_stops_when_the_new_one_is_made() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let old = keys::make(&app, &ada, &keys::body()).await;
    let answer = keys::rotate(&app, &ada, &old.id, &json!({})).await;
    let new = Key::from(answer.json(201));
    assert_eq!(answer.header("location"), Some(format!("/v1/auth/api-keys/{}", new.id).as_str()));
    assert_ne!(new.id, old.id);
    for same in ["name", "scopes", "allowed_networks", "environment", "expires_at", "user_id", "organization_id"] {
        assert_eq!(new.view[same], old.view[same], "{same}");
    }
    assert!(keys::works(&app, &new.text).await && !keys::works(&app, &old.text).await);
    let view: Value = keys::read(&app, &ada, &old.id).await.json(200);
    assert_eq!((&view["revoke_reason"], &view["replaced_by"]), (&json!("rotated"), &json!(new.id)));
    let (_, revoked) = events.wait::<ApiKeyRevoked>(|_| true).await;
    assert_eq!((revoked.api_key_id, revoked.reason.as_str()), (old.id, "rotated"));
    events.wait::<ApiKeyCreated>(|event| event.api_key_id == new.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_grace_both_work_until_it_is_over_and_then_it_is_told() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let old = keys::make(&app, &ada, &keys::body()).await;
    let wish = json!({"grace_seconds": 3600, "expires_at": "2026-09-01T00:00:00Z"});
    let new = Key::from(keys::rotate(&app, &ada, &old.id, &wish).await.json(201));
    assert_eq!(new.view["expires_at"], "2026-09-01T00:00:00Z");
    assert!(keys::works(&app, &new.text).await && keys::works(&app, &old.text).await);
    let view: Value = keys::read(&app, &ada, &old.id).await.json(200);
    assert_eq!((&view["status"], &view["expires_at"]), (&json!("active"), &json!("2026-03-02T13:00:00Z")));
    let (_, updated) = events.wait::<ApiKeyUpdated>(|_| true).await;
    assert_eq!((updated.api_key_id.as_str(), updated.reason.as_str()), (old.id.as_str(), "replaced"));
    let longer = keys::patch(&app, &ada, &old.id, &json!({"expires_at": null})).await;
    assert_eq!(longer.problem(409), "api_key_not_active", "the grace cannot be prolonged");

    app.clock.set("2026-03-02T13:00:00Z".parse().unwrap());
    assert!(keys::works(&app, &new.text).await && !keys::works(&app, &old.text).await);
    let (_, revoked) = events.wait::<ApiKeyRevoked>(|_| true).await;
    assert_eq!((revoked.api_key_id.as_str(), revoked.reason.as_str()), (old.id.as_str(), "rotated"));
    let ada = keys::signed_in_anew(&app, &ada, PASSWORD).await;
    let view: Value = keys::read(&app, &ada, &old.id).await.json(200);
    assert_eq!((&view["status"], &view["revoke_reason"]), (&json!("revoked"), &json!("rotated")));
    for grace in [json!(-1), json!(604_801), json!("day"), json!(null)] {
        let answer = keys::rotate(&app, &ada, &new.id, &json!({"grace_seconds": grace})).await;
        assert_eq!(answer.bad_fields(422), ["grace_seconds"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_rotations_at_once_one_succeeds() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let old = keys::make(&app, &ada, &keys::body()).await;
    let wish = json!({"grace_seconds": 60});
    let answers = join_all((0..12).map(|_| keys::rotate(&app, &ada, &old.id, &wish))).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.problem(409), "api_key_not_active");
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_makes_no_second_key_and_shows_none() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let send = async |path: &str, key: &str, body: &Value| {
        let request = app.request(Method::POST, path).bearer_auth(&ada.access).header("idempotency-key", key);
        Answer::to(request.json(body)).await
    };
    let path = "/v1/auth/api-keys";
    let first = send(path, "one", &keys::body()).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let made = Key::from(first.json(201));
    let again = send(path, "one", &keys::body()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((again.header("location"), again.header("etag")), (first.header("location"), Some("\"1\"")));
    let mut expected = made.view.clone();
    expected["key"] = json!(null);
    assert_eq!(again.json::<Value>(201), expected);
    assert_eq!(
        send(path, "one", &json!({"name": "x", "scopes": ["ai:read"]})).await.problem(422),
        "idempotency_mismatch"
    );

    let rotate = format!("{path}/{}/rotate", made.id);
    let next = Key::from(send(&rotate, "one", &json!({})).await.json(201));
    let again: Value = send(&rotate, "one", &json!({})).await.json(201);
    assert_eq!((&again["id"], &again["key"]), (&json!(next.id), &json!(null)));
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys").await, 2);
    // What was lost is had again under a new key.
    assert!(keys::works(&app, &Key::from(keys::rotate(&app, &ada, &next.id, &json!({})).await.json(201)).text).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_ended_long_ago_are_swept() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let mut body = keys::body();
    let stays = keys::make(&app, &ada, &body).await;
    let revoked = keys::make(&app, &ada, &body).await;
    assert_eq!(keys::revoke(&app, &ada, &revoked.id).await.status, 204);
    body["expires_at"] = json!("2026-03-03T12:00:00Z");
    keys::make(&app, &ada, &body).await;
    let ids = "SELECT id::text AS line FROM auth.api_keys";
    app.clock.advance(TimeDelta::days(90));
    assert_eq!(lines(&app, ids).await.len(), 3);
    app.clock.advance(TimeDelta::days(1) + TimeDelta::seconds(1));
    until("the ended keys are gone", || async { lines(&app, ids).await == [stays.id.clone()] }).await;
}
