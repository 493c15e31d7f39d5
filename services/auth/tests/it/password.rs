use chrono::TimeDelta;
use contracts::auth::v1::{PasswordChanged, SessionRevoked};
use serde_json::{Value, json};
use testkit::Answer;

use crate::support::{App, PASSWORD, Person, claims, credentials, get, log_in, post, refresh, register, start};

const NEW: &str = "seventeen brisk otters waltzing";

async fn change(app: &App, token: &str, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    post(app, "/v1/auth/password/change", Some(token), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_is_the_only_one_and_ends_the_other_sessions() {
    let app = start().await;
    let events = app.record().await;
    let other = register(&app, "Ada").await;
    let ada = log_in(&app, "Ada").await;
    app.clock.advance(TimeDelta::minutes(9));
    assert_eq!(change(&app, &ada.access, PASSWORD, NEW).await.status, 204);

    assert_eq!(post(&app, "/v1/auth/login", None, &credentials("Ada", PASSWORD)).await.status, 401);
    assert_eq!(post(&app, "/v1/auth/login", None, &credentials("Ada", NEW)).await.status, 200);
    assert_eq!(get(&app, "/v1/auth/me", &other.access).await.status, 401);
    assert_eq!(refresh(&app, &other.refresh).await.status, 401);
    assert_eq!(get(&app, "/v1/auth/me", &ada.access).await.status, 200, "the session that changed it goes on");
    let next = Person::from(&refresh(&app, &ada.refresh).await.json(200));
    assert_eq!(claims(&next.access)["auth_time"], kit::Clock::now(&*app.clock).timestamp(), "freshly authenticated");

    let (_, changed) = events.wait::<PasswordChanged>(|_| true).await;
    assert_eq!((changed.user_id, changed.reason.as_str()), (ada.user.to_string(), "change"));
    let (_, revoked) = events.wait::<SessionRevoked>(|_| true).await;
    assert_eq!((revoked.session_id, revoked.reason.as_str()), (other.session().to_string(), "password_changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_password_is_the_proof_and_guessing_it_is_counted() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    for _ in 0..10 {
        let answer = change(&app, &ada.access, "not the password", NEW).await;
        assert_eq!(answer.problem(403), "wrong_password");
        assert_eq!(answer.bad_fields(403), ["current_password"]);
    }
    assert_eq!(change(&app, &ada.access, PASSWORD, NEW).await.problem(429), "too_many_attempts");
    let login = post(&app, "/v1/auth/login", None, &credentials("Ada", PASSWORD)).await;
    assert_eq!(login.status, 429, "the same counter as at login");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_password_is_judged_like_the_first() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let answer = change(&app, &ada.access, PASSWORD, "ada@example.org").await;
    assert_eq!(answer.problem(422), "password_rejected");
    assert_eq!(answer.bad_fields(422), ["new_password"]);
    let short = change(&app, &ada.access, PASSWORD, "short").await;
    assert_eq!(short.bad_fields(422), ["new_password"]);
    let me: Value = get(&app, "/v1/auth/me", &ada.access).await.json(200);
    assert_eq!(me["user"]["email"], "ada@example.org");
    log_in(&app, "Ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_at_once_one_succeeds() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let other = "umbrella falcon twelve biscuits";
    let (first, second) =
        futures_util::join!(change(&app, &ada.access, PASSWORD, NEW), change(&app, &ada.access, PASSWORD, other));
    let mut answers = [first.status, second.status];
    answers.sort_unstable();
    assert_eq!(answers, [204, 403]);
}
