//! Whether an account exists is not told by status, body or time.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{App, builder, credentials, post, post_from, register, start};

const LOGIN: &str = "/v1/auth/login";

/// What differs between any two answers.
fn body(mut problem: Value) -> Value {
    problem["request_id"] = Value::Null;
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_body_are_the_same_for_known_and_unknown_accounts() {
    let app = start().await;
    register(&app, "Ada").await;
    for attempt in 0..12 {
        let known = post_from(&app, "192.0.2.1", LOGIN, &credentials("Ada", "not the password")).await;
        let unknown = post_from(&app, "192.0.2.2", LOGIN, &credentials("Nobody", "not the password")).await;
        assert_eq!(known.status, if attempt < 10 { 401 } else { 429 });
        assert_eq!(known.status, unknown.status, "attempt {attempt}");
        assert_eq!(body(known.problem_body(known.status)), body(unknown.problem_body(known.status)));
        let names = |answer: &testkit::Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&known), names(&unknown));
        assert_eq!(known.header("retry-after"), unknown.header("retry-after"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_the_same_for_known_and_unknown_accounts() {
    const ROUNDS: u32 = 40;
    let app = builder().env("BRAINOPS_AUTH_LOGIN_ACCOUNT_LIMIT", "10000").start().await;
    register(&app, "Ada").await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    // Side by side and in turns, so that whatever else the machine does falls on both alike; the first rounds warm up.
    for round in 0..ROUNDS + 5 {
        let source = format!("192.0.2.{round}");
        let names = if round % 2 == 0 { ["Ada", "Nobody"] } else { ["Nobody", "Ada"] };
        for name in names {
            let time = timed(&app, &source, name).await;
            if round >= 5 {
                if name == "Ada" { known.push(time) } else { unknown.push(time) }
            }
        }
    }
    // Leaving the hash out makes it 5. What is left between the two is noise of the machine.
    let ratio = lower_quartile(&mut known).as_secs_f64() / lower_quartile(&mut unknown).as_secs_f64();
    assert!((0.7..=1.43).contains(&ratio), "known takes {ratio:.2} of unknown");
}

async fn timed(app: &App, source: &str, name: &str) -> Duration {
    let begun = Instant::now();
    assert_eq!(post_from(app, source, LOGIN, &credentials(name, "not the password")).await.status, 401);
    begun.elapsed()
}

/// Other work only ever adds time, so the faster answers say more than the middle one.
fn lower_quartile(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 4]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_told_only_to_who_knows_its_password() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let token = crate::support::service_token(&app, "standalone", "auth").await;
    let path = format!("/internal/users/{}/disable", ada.user);
    assert_eq!(post(&app, &path, Some(&token), &serde_json::json!({"reason": "abuse"})).await.status, 204);
    let wrong = post(&app, LOGIN, None, &credentials("Ada", "not the password")).await;
    assert_eq!(wrong.problem(401), "invalid_credentials");
    let right = post(&app, LOGIN, None, &credentials("Ada", crate::support::PASSWORD)).await;
    assert_eq!(right.problem(403), "account_disabled");
}
