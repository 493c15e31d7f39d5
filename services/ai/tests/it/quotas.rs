//! `/v1/ai/quotas`: who makes, sees and changes them, and that calls obey.

use ai::{Ai, USERS_QUEUE};
use contracts::{
    Role, TeamId,
    ai::v1::{QuotaExceeded, QuotaThresholdReached},
    users::v1::{TeamDeleted, TeamMemberAdded, TeamMemberRemoved},
};
use kit::{Ids as _, RandomIds};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Answer, TestApp, providers::FakeProvider, test_start};

use crate::{
    ledger_world::eventually,
    world::{CHAT, builder, chat, one, publish},
};

const QUOTAS: &str = "/v1/ai/quotas";

fn admin() -> Actor {
    Actor::new(Role::Admin)
}

/// A monthly budget of requests.
fn budget(subject: &str, limit: i64) -> Value {
    json!({"subject": subject, "window": "month", "metric": "requests", "limit": limit})
}

async fn made(app: &TestApp<Ai>, who: &Actor, body: &Value) -> String {
    let view: Value = app.post(QUOTAS, who, body).await.json(201);
    view["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_made_read_changed_and_deleted() {
    let app = builder().start().await;
    let ada = admin();
    let body = json!({"name": "Research", "subject": "user", "model": "m", "window": "day", "metric": "cost_nano_usd",
        "limit": 5_000_000, "thresholds": [90, 50, 90]});
    let answer = app.post(QUOTAS, &ada, &body).await;
    let view: Value = answer.json(201);
    let path = format!("{QUOTAS}/{}", view["id"].as_str().unwrap());
    assert_eq!((answer.header("location"), answer.header("etag")), (Some(path.as_str()), Some("\"1\"")));
    assert_eq!(
        (&view["thresholds"], &view["enabled"], &view["scope"]),
        (&json!([50, 90]), &json!(true), &json!("organization"))
    );
    assert_eq!(app.post(QUOTAS, &ada, &body).await.problem(409), "quota_exists");

    let view: Value = app.get(&path, &ada).await.json(200);
    let current = json!([{"subject_id": ada.user, "used": 0, "reserved": 0, "remaining": 5_000_000,
        "window_started_at": "2026-03-02T00:00:00Z", "resets_at": "2026-03-03T00:00:00Z"}]);
    assert_eq!(view["current"], current);

    let change = json!({"limit": 7, "name": null, "enabled": false});
    let token = app.auth.token(&ada);
    let change_at = |version: &'static str| {
        let request = app.request(Method::PATCH, &path).bearer_auth(&token).header("if-match", version);
        Answer::to(request.json(&change))
    };
    assert_eq!(change_at("\"9\"").await.problem(412), "precondition_failed");
    let answer = change_at("\"1\"").await;
    let view: Value = answer.json(200);
    assert_eq!((answer.header("etag"), &view["limit"], &view["name"]), (Some("\"2\""), &json!(7), &Value::Null));
    let same: Value = app.patch(&path, &ada, &change).await.json(200);
    assert_eq!(same["version"], 2, "a change of nothing makes no version");

    for _ in 0..2 {
        assert_eq!(app.send(Method::DELETE, &path, Some(&token), None).await.status, 204);
    }
    assert_eq!(app.get(&path, &ada).await.problem(404), "quota_not_found");
    assert_eq!(app.patch(&path, &ada, &change).await.problem(404), "quota_not_found");
    let notes = "SELECT string_agg(action, ',' ORDER BY at, id) FROM ai.audit_log WHERE subject_type = 'quota'";
    assert_eq!(text(&app, notes).await, "quota.created,quota.updated,quota.deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_makes_one_quota() {
    let app = builder().start().await;
    let ada = admin();
    let token = app.auth.token(&ada);
    let send = |body: Value| {
        let request = app.request(Method::POST, QUOTAS).bearer_auth(&token).header("idempotency-key", "one");
        Answer::to(request.json(&body))
    };
    let first: Value = send(budget("organization", 5)).await.json(201);
    let again = send(budget("organization", 5)).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json::<Value>(201), first);
    assert_eq!(send(budget("organization", 6)).await.problem(422), "idempotency_mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named() {
    let app = builder().start().await;
    let ada = admin();
    let bad = json!({"name": " ", "subject": "organization", "subject_id": ada.org, "model": "", "window": "day",
        "metric": "tokens", "limit": -1, "thresholds": [0, 101]});
    let fields = app.post(QUOTAS, &ada, &bad).await.bad_fields(422);
    assert_eq!(fields, ["limit", "model", "name", "subject_id", "thresholds"]);
    for (field, value) in
        [("window", json!("hour")), ("metric", json!("euros")), ("org_id", json!(ada.org)), ("limit", json!(1.5))]
    {
        let mut body = budget("user", 1);
        body[field] = value;
        assert_eq!(app.post(QUOTAS, &ada, &body).await.bad_fields(422), [field]);
    }
    let mut body = budget("user", 1);
    body["limit"] = json!(9_007_199_254_740_992_i64);
    assert_eq!(app.post(QUOTAS, &ada, &body).await.bad_fields(422), ["limit"]);
    let path = format!("{QUOTAS}/{}", made(&app, &ada, &budget("user", 1)).await);
    let nulls = json!({"limit": null, "thresholds": null, "enabled": null});
    assert_eq!(app.patch(&path, &ada, &nulls).await.bad_fields(422), ["enabled", "limit", "thresholds"]);
    assert_eq!(app.patch(&path, &ada, &json!({"metric": "tokens"})).await.bad_fields(422), ["metric"]);
    assert_eq!(app.get(&format!("{QUOTAS}?offset=3"), &ada).await.problem(400), "invalid_parameter");
    assert_eq!(app.get(&format!("{QUOTAS}?cursor=forged"), &ada).await.problem(400), "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_what_it_may_and_another_tenant_nothing() {
    let app = builder().start().await;
    let ada = admin();
    let (member, viewer, stranger) = (ada.colleague(Role::Member), ada.colleague(Role::Viewer), admin());
    let all = made(&app, &ada, &budget("organization", 5)).await;
    let mut body = budget("user", 5);
    body["subject_id"] = json!(member.user);
    let hers = made(&app, &ada, &body).await;
    made(&app, &ada, &budget("api_key", 5)).await;
    let listed = async |who: &Actor| -> Vec<String> {
        let list: Value = app.get(QUOTAS, who).await.json(200);
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&ada).await.len(), 3);
    assert_eq!(listed(&member).await, [all.clone(), hers.clone()], "those that concern her");
    assert_eq!(listed(&viewer).await, std::slice::from_ref(&all));
    assert_eq!(listed(&stranger).await, Vec::<String>::new());

    let path = format!("{QUOTAS}/{hers}");
    assert_eq!(app.get(&path, &member).await.status, 200);
    assert_eq!(app.get(&path, &viewer).await.problem(404), "quota_not_found", "it does not concern him");
    assert_eq!(app.get(&path, &stranger).await.problem(404), "quota_not_found");
    for who in [&member, &viewer] {
        assert_eq!(app.post(QUOTAS, who, &budget("team", 1)).await.problem(403), "insufficient_scope");
        assert_eq!(app.patch(&path, who, &json!({"limit": 9})).await.problem(403), "insufficient_scope");
        let token = app.auth.token(who);
        assert_eq!(app.send(Method::DELETE, &path, Some(&token), None).await.problem(403), "insufficient_scope");
        assert_eq!(app.get(&format!("{path}/subjects"), who).await.problem(403), "insufficient_scope");
    }
    assert_eq!(app.patch(&path, &stranger, &json!({"limit": 9})).await.problem(404), "quota_not_found");
    assert_eq!(app.get(&format!("{path}/subjects"), &stranger).await.problem(404), "quota_not_found");
    let token = app.auth.token(&stranger);
    assert_eq!(app.send(Method::DELETE, &path, Some(&token), None).await.problem(404), "quota_not_found");
    assert_eq!(app.send(Method::GET, QUOTAS, None, None).await.problem(401), "unauthenticated");
    let mut global = budget("organization", 1);
    global["scope"] = json!("global");
    assert_eq!(app.post(QUOTAS, &ada, &global).await.problem(403), "operator_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_limits_each_organization_or_one() {
    let fake = FakeProvider::start().await;
    let operator = admin();
    let app = builder().env("BRAINOPS_OPERATOR_ORGANIZATION", operator.org.to_string()).start().await;
    crate::world::model(&[(&fake, "openai", 0)]).add(&app).await;
    let (ada, bob) = (admin(), admin());
    let each =
        json!({"scope": "global", "subject": "organization", "window": "month", "metric": "requests", "limit": 2});
    let id = made(&app, &operator, &each).await;
    let for_bob = json!({"scope": "global", "subject": "organization", "subject_id": bob.org, "window": "day",
        "metric": "requests", "limit": 0});
    made(&app, &operator, &for_bob).await;
    for _ in 0..2 {
        assert_eq!(app.post(CHAT, &ada, &chat("Hi")).await.status, 200);
    }
    assert_eq!(app.post(CHAT, &ada, &chat("Hi")).await.status, 429);
    assert_eq!(app.post(CHAT, &bob, &chat("Hi")).await.status, 429, "nothing is allowed to bob's");
    let view: Value = app.get(&format!("{QUOTAS}/{id}"), &ada).await.json(200);
    assert_eq!(
        (&view["scope"], view["current"][0]["subject_id"].as_str()),
        (&json!("global"), Some(ada.org.to_string().as_str()))
    );
    let seen: Value = app.get(QUOTAS, &ada).await.json(200);
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "what is set for bob's is no business of hers");
    assert_eq!(
        app.patch(&format!("{QUOTAS}/{id}"), &ada, &json!({"limit": 99})).await.problem(403),
        "operator_required"
    );
    let raised: Value = app.patch(&format!("{QUOTAS}/{id}"), &operator, &json!({"limit": 3})).await.json(200);
    assert_eq!(raised["limit"], 3);
    assert_eq!(app.post(CHAT, &ada, &chat("Hi")).await.status, 200, "at once, in this process");
    assert_eq!(app.post(CHAT, &ada, &chat("Hi")).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_obey_and_everybody_hears_of_it() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let events = app.record().await;
    let ada = admin();
    let member = ada.colleague(Role::Member);
    let mut body = budget("user", 2);
    body["thresholds"] = json!([50]);
    let id = made(&app, &ada, &body).await;
    for _ in 0..2 {
        assert_eq!(app.post(CHAT, &member, &chat("Hi")).await.status, 200);
    }
    let refused = app.post(CHAT, &member, &chat("Hi")).await;
    let error: Value = refused.json(429);
    assert_eq!(
        (&error["error"]["code"], &error["error"]["type"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    assert_eq!(app.post(CHAT, &ada, &chat("Hi")).await.status, 200, "each has their own");

    let (envelope, reached) = events.wait::<QuotaThresholdReached>(|_| true).await;
    assert_eq!((envelope.subject, envelope.org, reached.threshold_percent), (id.clone(), Some(ada.org), 50));
    let (_, exceeded) = events.wait::<QuotaExceeded>(|_| true).await;
    assert_eq!((exceeded.quota_id.as_str(), exceeded.limit, exceeded.metric.as_str()), (id.as_str(), 2, "requests"));

    let path = format!("{QUOTAS}/{id}/subjects");
    eventually("both are counted", async || {
        let list: Value = app.get(&path, &ada).await.json(200);
        let used = list["items"].as_array().unwrap().iter().filter_map(|item| item["used"].as_i64()).sum::<i64>();
        used == 3
    })
    .await;
    let first: Value = app.get(&format!("{path}?limit=1"), &ada).await.json(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second: Value = app.get(&format!("{path}?limit=1&cursor={cursor}"), &ada).await.json(200);
    assert_ne!(first["items"][0]["subject_id"], second["items"][0]["subject_id"]);
    assert_eq!(second["next_cursor"], Value::Null);
    let view: Value = app.get(&format!("{QUOTAS}/{id}"), &member).await.json(200);
    assert_eq!((&view["current"][0]["used"], &view["current"][0]["remaining"]), (&json!(2), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_from_the_oldest_to_the_newest() {
    let app = builder().start().await;
    let ada = admin();
    for (n, subject) in ["organization", "team", "user", "api_key"].into_iter().enumerate() {
        app.clock.advance(chrono::TimeDelta::seconds(1));
        made(&app, &ada, &budget(subject, i64::try_from(n).unwrap())).await;
    }
    let (mut seen, mut path) = (Vec::new(), format!("{QUOTAS}?limit=3"));
    loop {
        let page: Value = app.get(&path, &ada).await.json(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["limit"].as_i64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{QUOTAS}?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, [0, 1, 2, 3]);
    let teams: Value = app.get(&format!("{QUOTAS}?subject=team"), &ada).await.json(200);
    assert_eq!(teams["items"].as_array().unwrap().len(), 1);
}

/// A team's quota goes by what the users service tells, once, in any order.
#[tokio::test(flavor = "multi_thread")]
async fn teams_are_as_the_users_service_tells() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    app.consuming(USERS_QUEUE).await;
    let ada = admin();
    let member = ada.colleague(Role::Member);
    let team = TeamId::from_uuid(RandomIds.uuid());
    made(&app, &ada, &budget("team", 0)).await;
    let ids = || (team.to_string(), ada.org.to_string(), member.user.to_string());
    let at = Some(test_start().into());
    let (team_id, organization_id, user_id) = ids();
    let added = TeamMemberAdded { team_id, organization_id, user_id, role: "member".into(), added_at: at };
    let (team_id, organization_id, user_id) = ids();
    let removed = TeamMemberRemoved { team_id, organization_id, user_id, removed_at: at };
    let (team_id, organization_id, _) = ids();
    let deleted = TeamDeleted { team_id, organization_id, deleted_at: at };
    let calls = async || app.post(CHAT, &member, &chat("Hi")).await.status;

    assert_eq!(calls().await, 200);
    publish(&app, &ada, 2, &added).await;
    eventually("a member of a team that may nothing", async || calls().await == 429).await;
    publish(&app, &ada, 3, &removed).await;
    eventually("no member any more", async || calls().await == 200).await;
    // Late, and again: the row knows better.
    publish(&app, &ada, 2, &added).await;
    publish(&app, &ada, 4, &deleted).await;
    publish(&app, &ada, 5, &added).await;
    eventually("all is heard", async || text(&app, "SELECT count(*)::text FROM ai.inbox_events").await == "5").await;
    assert_eq!(text(&app, "SELECT count(*)::text FROM ai.team_members").await, "0");
    assert_eq!(calls().await, 200);
    assert!(app.dead_letters(USERS_QUEUE).await.is_empty());
}

/// The text that `sql` selects, as the superuser.
async fn text(app: &TestApp<Ai>, sql: &'static str) -> String {
    use db::diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        t: String,
    }
    app.db.admin(move |conn| sql_query(format!("SELECT ({sql}) AS t")).get_result::<Row>(conn).unwrap().t).await
}
