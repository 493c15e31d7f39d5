//! A key for a token of a minute: what the gateway asks, and what it is not told.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use contracts::Role;
use futures_util::future::join_all;
use kit::{
    NewId as _, RandomIds,
    auth::{ApiKeyEnvironment, ApiKeyText},
};
use serde_json::{Value, json};

use crate::support::{
    App, builder, claims, count, get, keys, lines, member, post, register, service_token, start, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_token_says_what_the_key_and_the_role_both_allow() {
    let app = start().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    let key = keys::make(&app, &ada, &json!({"name": "x", "scopes": ["users:read", "ai:invoke", "ai:write"]})).await;
    app.clock.advance(TimeDelta::days(30));
    let answer = keys::exchange(&app, &key.text, Some("192.0.2.7")).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: Value = answer.json(200);
    assert_eq!((&body["expires_in"], &body["api_key_id"]), (&json!(60), &json!(key.id)));
    let token = body["access_token"].as_str().unwrap();
    let said = claims(token);
    assert_eq!((&said["sub"], &said["org"], &said["role"]), (&json!(ada.user), &json!(ada.org), &json!("admin")));
    assert_eq!((&said["api_key"], &said["sid"], &said["amr"]), (&json!(key.id), &json!(key.id), &json!([])));
    assert_eq!((&said["scope"], &said["aud"]), (&json!("users:read ai:invoke ai:write"), &json!("brainops")));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 60);
    assert_eq!(said["iat"].as_i64().unwrap() - said["auth_time"].as_i64().unwrap(), 30 * 86_400, "when it was made");
    assert_eq!(get(&app, "/v1/auth/me", token).await.status, 200);
    app.clock.advance(TimeDelta::seconds(76));
    assert_eq!(get(&app, "/v1/auth/me", token).await.problem(401), "invalid_token");

    crate::support::tell(&app, 2, membership.role_changed(Role::Viewer)).await;
    assert_eq!(claims(&keys::token(&app, &key.text).await)["scope"], "users:read");
}

/// The key with another secret, well-formed.
fn forged(key: &str) -> String {
    let key = ApiKeyText::parse(key).unwrap();
    ApiKeyText::generate(key.environment(), key.id(), &RandomIds).expose().to_owned()
}

fn unknown() -> String {
    ApiKeyText::generate(ApiKeyEnvironment::Live, RandomIds.new(), &RandomIds).expose().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_the_answer_is_the_same() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let make = async |body: Value| keys::make(&app, &ada, &body).await.text;
    let limited = json!({"name": "x", "scopes": ["ai:read"], "allowed_networks": ["10.0.0.0/8", "2001:db8::/32"]});
    let (good, limited) = (make(keys::body()).await, make(limited).await);
    let expired = make(json!({"name": "x", "scopes": ["ai:read"], "expires_at": "2026-03-02T12:00:01Z"})).await;
    let revoked = keys::make(&app, &ada, &keys::body()).await;
    assert_eq!(keys::revoke(&app, &ada, &revoked.id).await.status, 204);
    app.clock.advance(TimeDelta::seconds(1));
    let mut mistyped = good.clone();
    mistyped.replace_range(50..51, if &good[50..51] == "a" { "b" } else { "a" });
    let other_mark = {
        let key = ApiKeyText::parse(&good).unwrap();
        ApiKeyText::generate(ApiKeyEnvironment::Test, key.id(), &RandomIds).expose().to_owned()
    };
    let cases = [
        ("mistyped", mistyped, None),
        ("cut off", good[..79].to_owned(), None),
        ("nothing like a key", "sk-123".to_owned(), None),
        ("no ASCII", "bo_live_ключ".to_owned(), None),
        ("unknown", unknown(), None),
        ("another secret", forged(&good), None),
        ("another mark", other_mark, None),
        ("revoked", revoked.text, None),
        ("expired", expired, None),
        ("from outside", limited.clone(), Some("192.0.2.1")),
        ("from outside in IPv6", limited.clone(), Some("2001:db9::1")),
        ("from nowhere", limited.clone(), None),
    ];
    let token = service_token(&app, "gateway", "auth").await;
    let mut first = None;
    for (what, key, address) in cases {
        let body = json!({"key": key, "address": address});
        let answer = post(&app, "/internal/api-keys/exchange", Some(&token), &body).await;
        assert_eq!(answer.problem(401), "invalid_api_key", "{what}");
        let mut problem = answer.problem_body(401);
        problem["request_id"] = Value::Null;
        assert_eq!(*first.get_or_insert_with(|| problem.clone()), problem, "{what}");
    }
    for inside in ["10.255.0.1", "2001:db8::1", "::ffff:10.0.0.1"] {
        assert_eq!(keys::exchange(&app, &limited, Some(inside)).await.status, 200, "{inside}");
    }
    assert_eq!(keys::exchange(&app, &good, Some("not an address")).await.bad_fields(422), ["address"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_gateway_exchanges_keys() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    let ask = async |token: &str| {
        post(&app, "/internal/api-keys/exchange", Some(token), &json!({"key": key.text, "address": null})).await
    };
    for service in ["users", "standalone"] {
        let token = service_token(&app, service, "auth").await;
        assert_eq!(ask(&token).await.problem(403), "service_not_allowed", "{service}");
    }
    assert_eq!(ask(&service_token(&app, "gateway", "users").await).await.problem(401), "invalid_token");
    assert_eq!(ask(&ada.access).await.problem(401), "invalid_token");
    assert_eq!(ask(&keys::token(&app, &key.text).await).await.problem(401), "invalid_token");
    assert_eq!(ask(&key.text).await.problem(401), "invalid_token", "nor does a key open what is internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stops_at_its_end_and_its_tokens_with_it() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let body = json!({"name": "x", "scopes": ["users:read"], "expires_at": "2026-03-02T12:01:00.500Z"});
    let key = keys::make(&app, &ada, &body).await;
    let life = async || keys::exchange(&app, &key.text, None).await.json::<Value>(200)["expires_in"].as_i64().unwrap();
    assert_eq!(life().await, 60);
    app.clock.advance(TimeDelta::seconds(50));
    assert_eq!(life().await, 10);
    app.clock.advance(TimeDelta::milliseconds(9_501));
    assert!(!keys::works(&app, &key.text).await, "less than a second is no life");
    app.clock.advance(TimeDelta::seconds(1));
    let view: Value = keys::read(&app, &ada, &key.id).await.json(200);
    assert_eq!(view["status"], "expired");
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.revocations").await, 0, "nothing needs to be told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_from_the_next_exchange() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    let change = json!({"scopes": ["ai:read"], "allowed_networks": ["10.0.0.0/8"]});
    keys::patch(&app, &ada, &key.id, &change).await.json::<Value>(200);
    assert!(!keys::works(&app, &key.text).await, "from nowhere in particular");
    let answer: Value = keys::exchange(&app, &key.text, Some("10.0.0.1")).await.json(200);
    assert_eq!(claims(answer["access_token"].as_str().unwrap())["scope"], "ai:read");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pepper_is_in_every_hash() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    let other = builder().env("BRAINOPS_TOKEN_PEPPER", "another pepper of the tests, also long enough");
    let other = crate::support::replica_with(&app, other).await;
    assert!(keys::works(&app, &key.text).await && !keys::works(&other, &key.text).await);
    let stored = lines(&app, "SELECT encode(secret_hash, 'hex') AS line FROM auth.api_keys").await.remove(0);
    assert_ne!(stored, blake3::hash(key.text.as_bytes()).to_hex().to_string());
}

async fn last_used(app: &App) -> Vec<String> {
    lines(app, "SELECT coalesce(last_used_at::text, 'never') AS line FROM auth.api_keys").await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_was_used_is_written_beside_the_requests_and_changes_no_version() {
    let app = builder().env("BRAINOPS_AUTH_API_KEY_USE_INTERVAL_MS", "100").start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    app.clock.advance(TimeDelta::minutes(2));
    assert_eq!(keys::exchange(&app, &forged(&key.text), None).await.status, 401);
    keys::token(&app, &key.text).await;
    let view = async || keys::read(&app, &ada, &key.id).await.json::<Value>(200);
    until("the use is written", || async { view().await["last_used_at"] == "2026-03-02T12:02:00Z" }).await;
    assert_eq!((&view().await["version"], &view().await["updated_at"]), (&json!(1), &json!("2026-03-02T12:00:00Z")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_writes_nothing_and_the_end_of_the_process_writes_what_is_left() {
    let mut app = builder().env("BRAINOPS_AUTH_API_KEY_USE_INTERVAL_MS", "3600000").start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    let written = "SELECT (n_tup_ins + n_tup_upd + n_tup_del)::bigint AS n FROM pg_stat_user_tables \
                   WHERE schemaname = 'auth' AND relname = 'api_keys'";
    until("the insert is counted", || async { count(&app, written).await == 1 }).await;
    for _ in 0..20 {
        keys::token(&app, &key.text).await;
    }
    assert_eq!(last_used(&app).await, ["never"]);
    app.stop().await;
    assert_eq!(last_used(&app).await, ["2026-03-02 12:00:00+00"]);
    until("the write is counted", || async { count(&app, written).await == 2 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_exchanges_at_once_all_succeed() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await;
    let token = service_token(&app, "gateway", "auth").await;
    let body = json!({"key": key.text, "address": null});
    let ask = async |_| post(&app, "/internal/api-keys/exchange", Some(&token), &body).await.status;
    assert_eq!(join_all((0..64).map(ask)).await, [200; 64]);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_the_same_for_unknown_keys_and_wrong_secrets() {
    const ROUNDS: u32 = 120;
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key = keys::make(&app, &ada, &keys::body()).await.text;
    let token = service_token(&app, "gateway", "auth").await;
    let timed = async |key: String| {
        let body = json!({"key": key, "address": null});
        let begun = Instant::now();
        assert_eq!(post(&app, "/internal/api-keys/exchange", Some(&token), &body).await.status, 401);
        begun.elapsed()
    };
    let (mut known, mut other) = (Vec::new(), Vec::new());
    // Side by side and in turns, so that whatever else the machine does falls on both alike; the first rounds warm up.
    for round in 0..ROUNDS + 10 {
        let (a, b) = if round % 2 == 0 {
            let a = timed(forged(&key)).await;
            (a, timed(unknown()).await)
        } else {
            let b = timed(unknown()).await;
            (timed(forged(&key)).await, b)
        };
        if round >= 10 {
            known.push(a);
            other.push(b);
        }
    }
    // One look at the database and one hash on either side; leaving out the look is told by a third of the time or less.
    let ratio = lower_quartile(&mut known).as_secs_f64() / lower_quartile(&mut other).as_secs_f64();
    assert!((0.67..=1.5).contains(&ratio), "known takes {ratio:.2} of unknown");
}

/// Other work only ever adds time, so the faster answers say more than the middle one.
fn lower_quartile(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 4]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_an_exchange_is_counted() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let key =
        keys::make(&app, &ada, &json!({"name": "x", "scopes": ["ai:read"], "allowed_networks": ["10.0.0.0/8"]})).await;
    let revoked = keys::make(&app, &ada, &keys::body()).await;
    keys::revoke(&app, &ada, &revoked.id).await;
    for (text, address) in [
        (key.text.clone(), Some("10.0.0.1")),
        (key.text.clone(), Some("192.0.2.1")),
        (forged(&key.text), None),
        (unknown(), None),
        ("bo_live_x".to_owned(), None),
        (revoked.text.clone(), None),
    ] {
        keys::exchange(&app, &text, address).await;
    }
    let metrics = prometheus::gather();
    let family = metrics.iter().find(|family| family.name() == "auth_api_key_exchanges_total").unwrap();
    let mut counted: Vec<_> = family
        .get_metric()
        .iter()
        .map(|metric| {
            let outcome = metric.get_label().iter().find(|label| label.name() == "outcome").unwrap();
            (outcome.value().to_owned(), metric.get_counter().get_value())
        })
        .collect();
    counted.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = ["address", "error", "exchanged", "malformed", "over", "owner", "unknown", "wrong_secret"];
    let expected = expected.map(|name| (name.to_owned(), if name == "error" || name == "owner" { 0.0 } else { 1.0 }));
    assert_eq!(counted, expected);
}
