use chrono::TimeDelta;
use contracts::auth::v1::SessionRevoked;
use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{App, Person, claims, count, get, lines, post, refresh, register, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_gives_the_next_pair_of_the_same_session() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    app.clock.advance(TimeDelta::minutes(11));
    assert_eq!(
        get(&app, "/v1/auth/me", &ada.access).await.problem(401),
        "invalid_token",
        "the access token has expired"
    );
    let next = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    assert_ne!(next.refresh, ada.refresh);
    assert_eq!((next.session(), next.org), (ada.session(), ada.org));
    assert_eq!(claims(&next.access)["auth_time"], claims(&ada.access)["auth_time"], "a refresh is no login");
    assert_eq!(get(&app, "/v1/auth/me", &next.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_refreshes_all_get_the_same_successor() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let answers = join_all((0..50).map(|_| refresh(&app, &ada.refresh))).await;
    let successors: Vec<String> = answers.iter().map(|answer| Person::from(&answer.json(200)).refresh).collect();
    assert!(successors.iter().all(|token| *token == successors[0]), "{successors:?}");
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.refresh_tokens").await, 2);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.sessions WHERE revoked_at IS NOT NULL").await, 0);
    assert_eq!(refresh(&app, &successors[0]).await.status, 200, "nobody was signed out");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_can_be_asked_for_again_within_ten_seconds() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let lost = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    // Somebody else was faster with the successor already.
    let after = Person::from(&refresh(&app, &lost.refresh).await.json(200));
    app.clock.advance(TimeDelta::seconds(10));
    let again = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    assert_eq!(again.refresh, lost.refresh);
    assert_eq!(Person::from(&refresh(&app, &again.refresh).await.json(200)).refresh, after.refresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_used_again_after_ten_seconds_ends_the_session() {
    let app = start().await;
    let events = app.record().await;
    let ada = register(&app, "Ada").await;
    let next = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    app.clock.advance(TimeDelta::milliseconds(10_001));

    assert_eq!(refresh(&app, &ada.refresh).await.problem(401), "invalid_refresh_token");
    assert_eq!(refresh(&app, &next.refresh).await.problem(401), "invalid_refresh_token", "the successor is void too");
    for access in [&ada.access, &next.access] {
        assert_eq!(get(&app, "/v1/auth/me", access).await.problem(401), "invalid_token");
    }
    let (_, revoked) = events.wait::<SessionRevoked>(|_| true).await;
    assert_eq!((revoked.session_id, revoked.reason.as_str()), (ada.session().to_string(), "refresh_token_reuse"));
    let audited =
        lines(&app, "SELECT details->>'reason' AS line FROM auth.audit_log WHERE action = 'session.revoked'").await;
    assert_eq!(audited, ["refresh_token_reuse"], "once, however often the copy is tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_uses_of_a_copy_end_the_session_once() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    refresh(&app, &ada.refresh).await.json::<Value>(200);
    app.clock.advance(TimeDelta::seconds(11));
    let answers = join_all((0..50).map(|_| refresh(&app, &ada.refresh))).await;
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.audit_log WHERE action = 'session.revoked'").await, 1);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.revocations").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_idle_after_14_days_and_at_last_after_90() {
    let app = start().await;
    let (ada, mut bob) = (register(&app, "Ada").await, register(&app, "Bob").await);
    for day in (13..=78).step_by(13) {
        app.clock.advance(TimeDelta::days(13));
        let answer = refresh(&app, &bob.refresh).await;
        let tokens: Value = answer.json(200);
        let left = (90 - day) * 86_400;
        assert_eq!(tokens["refresh_expires_in"], left.min(14 * 86_400), "day {day}");
        bob = Person::from(&tokens);
    }
    assert_eq!(refresh(&app, &ada.refresh).await.problem(401), "invalid_refresh_token", "idle");
    app.clock.advance(TimeDelta::days(12));
    assert_eq!(refresh(&app, &bob.refresh).await.problem(401), "invalid_refresh_token", "too old, though never idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_kind_of_token_is_not_good_as_another() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    assert_eq!(refresh(&app, &ada.access).await.status, 422, "an access token is too long to be one");
    assert_eq!(get(&app, "/v1/auth/me", &ada.refresh).await.problem(401), "invalid_token");
    for unknown in ["x", "bo_rt_", "bo_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "null"] {
        assert_eq!(refresh(&app, unknown).await.problem(401), "invalid_refresh_token", "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_stored_hashed_and_successors_sealed_and_not_for_long() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let next = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    let rows = lines(&app, "SELECT t::text AS line FROM auth.refresh_tokens t").await.join("\n");
    for token in [&ada.refresh, &next.refresh] {
        let secret = token.strip_prefix("bo_rt_").unwrap();
        let hex = blake3::hash(token.as_bytes()).to_hex();
        // Neither the token, nor a hash that anybody could compute from one.
        assert!(!rows.contains(secret) && !rows.contains(hex.as_str()), "{rows}");
    }
    assert_eq!(sealed(&app).await, 1);
    app.clock.advance(TimeDelta::seconds(11));
    until("the successor is wiped", || async { sealed(&app).await == 0 }).await;
}

async fn sealed(app: &App) -> i64 {
    count(app, "SELECT count(*) AS n FROM auth.refresh_tokens WHERE successor IS NOT NULL").await
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_sessions_and_their_tokens_are_swept_after_a_week() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    register(&app, "Bob").await;
    assert_eq!(post(&app, "/v1/auth/logout", Some(&ada.access), &serde_json::json!({})).await.status, 204);
    app.clock.advance(TimeDelta::days(7) + TimeDelta::seconds(1));
    until("the session is swept", || async { count(&app, "SELECT count(*) AS n FROM auth.sessions").await == 1 }).await;
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.refresh_tokens").await, 1);
    until("the revocation is swept", || async { count(&app, "SELECT count(*) AS n FROM auth.revocations").await == 0 })
        .await;
    until("the counters are swept", || async { count(&app, "SELECT count(*) AS n FROM auth.attempts").await == 0 })
        .await;
}
