use argon2::{Argon2, Params, PasswordHasher as _};
use chrono::TimeDelta;
use contracts::auth::v1::{LoginFailedRepeatedly, SessionStarted, UserLoggedIn};
use db::diesel::{RunQueryDsl as _, sql_query, sql_types};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    App, PASSWORD, builder, claims, count, credentials, get, lines, log_in, post, post_from, register, start,
};

const LOGIN: &str = "/v1/auth/login";

#[tokio::test(flavor = "multi_thread")]
async fn a_login_starts_a_session_of_its_own() {
    let app = start().await;
    let events = app.record().await;
    let first = register(&app, "Ada").await;
    app.clock.advance(TimeDelta::hours(1));
    let second = log_in(&app, "Ada").await;
    assert_ne!(first.session(), second.session());
    assert_eq!(claims(&second.access)["auth_time"], kit::Clock::now(&*app.clock).timestamp());
    assert_eq!(get(&app, "/v1/auth/me", &second.access).await.status, 200);
    let (envelope, logged_in) = events.wait::<UserLoggedIn>(|_| true).await;
    assert_eq!((logged_in.session_id, logged_in.methods), (second.session().to_string(), vec!["pwd".to_owned()]));
    assert_eq!((envelope.sequence, envelope.actor), (2, Some(first.user.uuid())), "the second thing told of Ada");
    events.wait::<SessionStarted>(|event| event.session_id == second.session().to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_wrong_logins_are_counted_exactly() {
    let app = start().await;
    let events = app.record().await;
    register(&app, "Ada").await;
    let wrong = credentials("Ada", "not the password");
    let answers = join_all((0..50).map(|_| async { post(&app, LOGIN, None, &wrong).await.status })).await;
    let of = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((of(401), of(429)), (10, 40), "{answers:?}");
    assert_eq!(
        lines(&app, "SELECT made::text AS line FROM auth.attempts ORDER BY made").await,
        ["1", "50", "50", "50"]
    );

    let (_, told) = events.wait::<LoginFailedRepeatedly>(|_| true).await;
    assert_eq!(told.attempts, 10);
    // Whatever else was told of it would have been committed before this.
    app.clock.advance(TimeDelta::minutes(15));
    log_in(&app, "Ada").await;
    events.wait::<UserLoggedIn>(|_| true).await;
    let types = events.types();
    assert_eq!(types.iter().filter(|kind| kind.contains("login_failed_repeatedly")).count(), 1, "{types:?}");
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.audit_log WHERE action = 'user.login_failed'").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_victim_can_still_log_in_from_elsewhere() {
    let app = start().await;
    register(&app, "Ada").await;
    for _ in 0..11 {
        post_from(&app, "198.51.100.66", LOGIN, &credentials("Ada", "not the password")).await;
    }
    let attacker = post_from(&app, "198.51.100.66", LOGIN, &credentials("Ada", PASSWORD)).await;
    assert_eq!(attacker.problem(429), "too_many_attempts", "also with the right password");
    assert_eq!(attacker.header("retry-after"), Some("900"));
    assert_eq!(post_from(&app, "192.0.2.1", LOGIN, &credentials("Ada", PASSWORD)).await.status, 200);
    app.clock.advance(TimeDelta::minutes(15));
    assert_eq!(post_from(&app, "198.51.100.66", LOGIN, &credentials("Ada", PASSWORD)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_network_is_one_source() {
    let app = start().await;
    register(&app, "Ada").await;
    for n in 0..11 {
        post_from(&app, &format!("2001:db8:1:2::{n}"), LOGIN, &credentials("Ada", "not the password")).await;
    }
    assert_eq!(post_from(&app, "2001:db8:1:2::ffff", LOGIN, &credentials("Ada", PASSWORD)).await.status, 429);
    assert_eq!(post_from(&app, "2001:db8:1:3::1", LOGIN, &credentials("Ada", PASSWORD)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_attacked_from_everywhere_is_closed_for_a_while() {
    let app = builder().env("BRAINOPS_AUTH_LOGIN_ACCOUNT_LIMIT", "15").start().await;
    register(&app, "Ada").await;
    for n in 0..15 {
        let answer = post_from(&app, &format!("203.0.113.{n}"), LOGIN, &credentials("Ada", "not the password")).await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(post_from(&app, "203.0.113.99", LOGIN, &credentials("Ada", PASSWORD)).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_password_tried_on_many_accounts_stops() {
    let app = builder().env("BRAINOPS_AUTH_LOGIN_SOURCE_LIMIT", "5").start().await;
    for n in 0..5 {
        let answer = post_from(&app, "203.0.113.7", LOGIN, &credentials(&format!("user{n}"), "Spring2026!!")).await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(post_from(&app, "203.0.113.7", LOGIN, &credentials("user9", "Spring2026!!")).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_takes_its_own_attempt_back() {
    let app = builder().env("BRAINOPS_AUTH_LOGIN_SOURCE_LIMIT", "12").start().await;
    register(&app, "Ada").await;
    for _ in 0..3 {
        for _ in 0..3 {
            assert_eq!(post(&app, LOGIN, None, &credentials("Ada", "not the password")).await.status, 401);
        }
        log_in(&app, "Ada").await;
    }
    for _ in 0..20 {
        log_in(&app, "Ada").await;
    }
    // Nine failures stay with the source; the account is clean for it.
    let made = lines(&app, "SELECT made::text AS line FROM auth.attempts ORDER BY made").await;
    assert_eq!(made, ["1", "9", "9"], "one registration, the account, the source");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_other_parameters_is_renewed_at_login() {
    let app = start().await;
    register(&app, "Ada").await;
    let weak = Argon2::from(Params::new(8 * 1024, 1, 1, None).unwrap());
    let old = weak.hash_password_with_salt(PASSWORD.as_bytes(), b"sixteen bytes ok").unwrap().to_string();
    app.db
        .admin(move |conn| {
            let set = sql_query("UPDATE auth.credentials SET password_hash = $1").bind::<sql_types::Text, _>(old);
            set.execute(conn).unwrap();
        })
        .await;
    let wrong = post(&app, LOGIN, None, &credentials("Ada", "not the password")).await;
    assert_eq!(wrong.status, 401);
    assert!(hash(&app).await.contains("m=8192"), "a wrong password renews nothing");
    log_in(&app, "Ada").await;
    assert!(hash(&app).await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    log_in(&app, "Ada").await;
}

async fn hash(app: &App) -> String {
    lines(app, "SELECT password_hash AS line FROM auth.credentials").await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hashing_threads_are_bounded_and_say_so() {
    let app = builder().env("BRAINOPS_AUTH_HASH_CONCURRENCY", "1").env("BRAINOPS_AUTH_HASH_WAIT_MS", "1").start().await;
    let answers = join_all((0..30).map(|n| {
        let (app, body) = (&app, json!({"email": format!("u{n}@example.org"), "password": "x"}));
        async move { post(app, LOGIN, None, &body).await }
    }))
    .await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty(), "one thread and a millisecond of patience were enough for thirty");
    assert!(answers.iter().all(|answer| answer.status == 503 || answer.status == 401));
    assert_eq!(busy[0].problem(503), "password_check_busy");
    assert_eq!(busy[0].header("retry-after"), Some("1"));
}
