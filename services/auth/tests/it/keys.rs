use chrono::TimeDelta;
use contracts::auth::v1::SigningKeyRotated;
use serde_json::{Value, json};

use crate::support::{
    App, Person, builder, count, get, header, lines, log_in, master_key, refresh, register, replica, replica_with,
    start, until,
};

async fn kids(app: &App) -> Vec<String> {
    let answer = app.send(reqwest::Method::GET, "/.well-known/jwks.json", None, None).await;
    assert!(answer.header("cache-control").unwrap().contains("max-age=300"));
    let set: Value = answer.json(200);
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_keys_are_published_and_nothing_of_the_private_ones() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let set: Value = app.send(reqwest::Method::GET, "/.well-known/jwks.json", None, None).await.json(200);
    let key = &set["keys"][0];
    assert_eq!(key["kid"], header(&ada.access)["kid"]);
    let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"], "no d");
    let stored = lines(&app, "SELECT sealed_key AS line FROM auth.signing_keys").await.remove(0);
    assert!(stored.starts_with("v1.test.") && !stored.contains("PRIVATE"), "{stored}");

    let found: Value = app.send(reqwest::Method::GET, "/.well-known/openid-configuration", None, None).await.json(200);
    assert_eq!(
        (&found["issuer"], &found["jwks_uri"]),
        (&json!("https://brainops.test"), &json!("https://brainops.test/.well-known/jwks.json"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_until_its_tokens_died() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let old = kid(&ada.access);
    app.clock.advance(TimeDelta::days(13));
    let ada = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    app.clock.advance(TimeDelta::days(13));
    let ada = Person::from(&refresh(&app, &ada.refresh).await.json(200));

    app.clock.advance(TimeDelta::days(4) - TimeDelta::hours(1));
    until("the next key is published", || async { kids(&app).await.len() == 2 }).await;
    let last_of_old = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    assert_eq!(kid(&last_of_old.access), old, "it does not sign yet");

    app.clock.advance(TimeDelta::hours(1));
    let first_of_new = Person::from(&refresh(&app, &last_of_old.refresh).await.json(200));
    let new = kid(&first_of_new.access);
    assert_ne!(new, old);
    assert!(kids(&app).await.contains(&new) && kids(&app).await.contains(&old));
    let (_, rotated) = events.wait::<SigningKeyRotated>(|event| event.signing_key_id == new).await;
    assert_eq!(rotated.previous_signing_key_id, Some(old.clone()));

    app.clock.advance(TimeDelta::minutes(16));
    until("the old key is gone", || async { kids(&app).await == [new.clone()] }).await;
    let later = Person::from(&refresh(&app, &first_of_new.refresh).await.json(200));
    assert_eq!(get(&app, "/v1/auth/me", &later.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_make_one_key_between_them() {
    let app = start().await;
    let others = [replica(&app).await, replica(&app).await];
    let ada = register(&app, "Ada").await;
    for other in &others {
        assert_eq!(kids(other).await, kids(&app).await);
        assert_eq!(get(other, "/v1/auth/me", &ada.access).await.status, 200);
    }
    for each in others.iter().chain([&app]) {
        each.clock.advance(TimeDelta::days(30) - TimeDelta::hours(1));
    }
    for each in others.iter().chain([&app]) {
        until("it knows the next key", || async { kids(each).await.len() == 2 }).await;
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.signing_keys").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_survive_a_restart_and_a_new_master_key_seals_them_anew() {
    let mut app = start().await;
    let ada = register(&app, "Ada").await;
    app.stop().await;
    let ring = format!("{},{}", master_key("next", 9), master_key("test", 7));
    let restarted = replica_with(&app, builder().env("BRAINOPS_MASTER_KEYS", ring)).await;
    assert_eq!(get(&restarted, "/v1/auth/me", &ada.access).await.status, 200);
    let stored = lines(&app, "SELECT sealed_key AS line FROM auth.signing_keys").await.remove(0);
    assert!(stored.starts_with("v1.next."), "{stored}");
    // The old master key is no longer needed.
    let without = replica_with(&app, builder().env("BRAINOPS_MASTER_KEYS", master_key("next", 9))).await;
    assert_eq!(get(&without, "/v1/auth/me", &ada.access).await.status, 200);
    log_in(&without, "Ada").await;
}
