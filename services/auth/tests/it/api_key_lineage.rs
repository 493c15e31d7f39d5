//! What comes of a key ends with it: whoever found one may have made others, or replaced it.

use chrono::TimeDelta;
use contracts::{Role, auth::v1::ApiKeyRevoked};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    App, Person, count, get, join,
    keys::{self, Key},
    lines, member, register, start, until,
};

fn manager() -> Value {
    json!({"name": "manager", "scopes": ["api_keys:read", "api_keys:write", "ai:read"]})
}

/// A key that another one makes.
async fn made_by(app: &App, owner: &Person, maker: &Key) -> Key {
    keys::make(app, &keys::program(app, owner, &maker.text).await, &manager()).await
}

/// The key by which one replaces itself; it works on for a minute.
async fn replaced(app: &App, owner: &Person, key: &Key) -> Key {
    let program = keys::program(app, owner, &key.text).await;
    Key::from(keys::rotate(app, &program, &key.id, &json!({"grace_seconds": 60})).await.json(201))
}

async fn work(app: &App, of: &[&Key]) -> Vec<bool> {
    let mut answers = Vec::new();
    for key in of {
        answers.push(keys::works(app, &key.text).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_a_key_ends_what_it_made_and_what_that_made() {
    let app = start().await;
    let events = app.record().await;
    let (ada, membership) = member(&app, "Ada", Role::Admin).await;
    let (bob, _) = join(&app, register(&app, "Bob").await, membership.org, Role::Admin).await;
    let leaked = keys::make(&app, &bob, &manager()).await;
    let beside = keys::make(&app, &bob, &manager()).await;
    let child = made_by(&app, &bob, &leaked).await;
    let grandchild = made_by(&app, &bob, &child).await;
    let token = keys::token(&app, &grandchild.text).await;
    // The one in between has ended before, for another reason.
    let by_person = Key::from(keys::rotate(&app, &bob, &child.id, &json!({})).await.json(201));
    // An admin ends it: the keys are not hers.
    assert_eq!(keys::revoke(&app, &ada, &leaked.id).await.status, 204);
    assert_eq!(work(&app, &[&leaked, &child, &grandchild]).await, [false; 3]);
    assert_eq!(work(&app, &[&beside, &by_person]).await, [true; 2], "what a person made stays");
    assert_eq!(get(&app, "/v1/auth/me", &token).await.problem(401), "invalid_token");
    for key in [&leaked, &grandchild] {
        let (_, told) = events.wait::<ApiKeyRevoked>(|event| event.api_key_id == key.id).await;
        assert_eq!(told.reason, "revoked");
        let audit = format!(
            "SELECT count(*) AS n FROM auth.audit_log WHERE action = 'api_key.revoked' AND subject_id = '{}'",
            key.id
        );
        assert_eq!(count(&app, &audit).await, 1);
    }
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.revocations WHERE kind = 'api_key'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_not_survive_by_replacing_itself() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let leaked = keys::make(&app, &ada, &manager()).await;
    let next = replaced(&app, &ada, &leaked).await;
    let last = replaced(&app, &ada, &next).await;
    app.clock.advance(TimeDelta::seconds(61));
    let ended = format!("SELECT revoke_reason AS line FROM auth.api_keys WHERE id = '{}'", leaked.id);
    let ended = async || lines(&app, &format!("{ended} AND revoked_at IS NOT NULL")).await;
    until("the grace is over", || async { ended().await == ["rotated"] }).await;
    assert_eq!(work(&app, &[&leaked, &next, &last]).await, [false, false, true]);
    // Ada knows of the first one only, which has ended already.
    assert_eq!(keys::revoke(&app, &ada, &leaked.id).await.status, 204);
    assert!(!keys::works(&app, &last.text).await);
    assert_eq!(ended().await, ["rotated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_made_past_the_end_of_its_maker() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let leaked = keys::make(&app, &ada, &manager()).await;
    let child = made_by(&app, &ada, &leaked).await;
    let programs = [keys::program(&app, &ada, &leaked.text).await, keys::program(&app, &ada, &child.text).await];
    let making =
        join_all((0..12).map(async |n: usize| keys::create(&app, &programs[n % 2].access, &keys::body()).await));
    let (_, revoked) = tokio::join!(making, keys::revoke(&app, &ada, &leaked.id));
    assert_eq!(revoked.status, 204);
    assert_eq!(count(&app, "SELECT count(*) AS n FROM auth.api_keys WHERE revoked_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swept_key_breaks_no_chain() {
    let app = start().await;
    let ada = register(&app, "Ada").await;
    let leaked = keys::make(&app, &ada, &manager()).await;
    let between = made_by(&app, &ada, &leaked).await;
    let last = made_by(&app, &ada, &between).await;
    let beside = made_by(&app, &ada, &leaked).await;
    let ended = format!(
        "UPDATE auth.api_keys SET revoked_at = created_at, revoke_reason = 'rotated' WHERE id IN ('{}', '{}') \
         RETURNING id::text AS line",
        between.id, beside.id
    );
    assert_eq!(lines(&app, &ended).await.len(), 2);
    app.clock.advance(TimeDelta::days(91));
    let left = "SELECT id::text AS line FROM auth.api_keys ORDER BY id";
    until("what nothing came of is gone", || async { lines(&app, left).await.len() == 3 }).await;
    let ada = keys::signed_in_anew(&app, &ada, crate::support::PASSWORD).await;
    assert_eq!(keys::revoke(&app, &ada, &leaked.id).await.status, 204);
    assert!(!keys::works(&app, &last.text).await);
    app.clock.advance(TimeDelta::days(91));
    until("all have ended and are gone", || async { lines(&app, left).await.is_empty() }).await;
}
