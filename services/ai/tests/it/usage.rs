//! `/v1/ai/usage`: sums, single calls, files, and what the month will cost.

use ai::Ai;
use contracts::{Role, UserId};
use db::diesel::{
    Connection as _, PgConnection, RunQueryDsl as _, connection::SimpleConnection as _, sql_query, sql_types,
};
use kit::{Ids as _, RandomIds};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, Answer, TestApp};
use uuid::Uuid;

use crate::world::builder;

const USAGE: &str = "/v1/ai/usage";
const RECORDS: &str = "/v1/ai/usage/records";

/// A call that is recorded already.
#[derive(Clone)]
struct Call {
    who: Actor,
    key: Option<Uuid>,
    at: String,
    model: &'static str,
    provider: Option<&'static str>,
    operation: &'static str,
    tokens: i64,
    cost: i64,
    outcome: &'static str,
}

fn call(who: &Actor, at: &str) -> Call {
    Call {
        who: *who,
        key: None,
        at: at.to_owned(),
        model: "fast",
        provider: Some("openai"),
        operation: "chat",
        tokens: 100,
        cost: 1_000,
        outcome: "completed",
    }
}

async fn record(app: &TestApp<Ai>, calls: impl IntoIterator<Item = Call>) {
    let calls: Vec<Call> = calls.into_iter().collect();
    app.db
        .admin(move |conn| {
            for call in calls {
                sql_query(
                    "INSERT INTO ai.usage_records (id, recorded_at, org_id, user_id, api_key_id, model, model_id, provider, \
                     operation, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, \
                     cost_nano_usd, estimated, cached, streamed, outcome, duration_ms, attempts) \
                     VALUES ($1, $2::timestamptz, $3, $4, $5, $6, $1, $7, $8, $9, 10, 0, 20, 5, $10, false, false, true, $11, 900, 1)",
                )
                .bind::<sql_types::Uuid, _>(RandomIds.uuid())
                .bind::<sql_types::Text, _>(call.at)
                .bind::<sql_types::Uuid, _>(call.who.org.uuid())
                .bind::<sql_types::Uuid, _>(call.who.user.uuid())
                .bind::<sql_types::Nullable<sql_types::Uuid>, _>(call.key)
                .bind::<sql_types::Text, _>(call.model)
                .bind::<sql_types::Nullable<sql_types::Text>, _>(call.provider)
                .bind::<sql_types::Text, _>(call.operation)
                .bind::<sql_types::BigInt, _>(call.tokens)
                .bind::<sql_types::BigInt, _>(call.cost)
                .bind::<sql_types::Text, _>(call.outcome)
                .execute(conn)
                .unwrap();
            }
        })
        .await;
}

fn people() -> (Actor, Actor) {
    let ada = Actor::new(Role::Admin);
    (ada, ada.colleague(Role::Member))
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_summed_up_by_what_is_asked_for() {
    let app = builder().start().await;
    let (ada, bob) = people();
    let key = RandomIds.uuid();
    record(
        &app,
        [
            call(&ada, "2026-03-01T23:59:59Z"),
            Call { model: "slow", cost: 5_000, ..call(&ada, "2026-03-02T00:00:00Z") },
            Call { key: Some(key), outcome: "failed", ..call(&bob, "2026-03-02T01:00:00Z") },
            Call { provider: None, operation: "embeddings", cost: 0, ..call(&bob, "2026-03-02T02:00:00Z") },
            // Last month, and another organization.
            call(&ada, "2026-02-28T23:59:59Z"),
            call(&Actor::new(Role::Admin), "2026-03-02T01:00:00Z"),
        ],
    )
    .await;
    let report: Value = app.get(USAGE, &ada).await.json(200);
    assert_eq!((&report["from"], &report["to"]), (&json!("2026-03-01T00:00:00Z"), &json!("2026-03-02T12:00:00Z")));
    assert_eq!(report["group_by"], json!(["day"]));
    let totals = json!({"requests": 4, "failed_requests": 1, "cached_requests": 0, "input_tokens": 400,
        "cached_input_tokens": 40, "output_tokens": 80, "reasoning_tokens": 20, "cost_nano_usd": 7_000});
    assert_eq!(report["totals"], totals);
    let days: Vec<_> =
        report["items"].as_array().unwrap().iter().map(|item| (&item["day"], &item["requests"])).collect();
    assert_eq!(days, [(&json!("2026-03-01"), &json!(1)), (&json!("2026-03-02"), &json!(3))]);

    let by = async |by: &str| -> Vec<Value> {
        let report: Value = app.get(&format!("{USAGE}?group_by={by}"), &ada).await.json(200);
        report["items"].as_array().unwrap().clone()
    };
    let by_model = by("model").await;
    assert_eq!((&by_model[0]["model"], &by_model[0]["cost_nano_usd"]), (&json!("fast"), &json!(2_000)));
    assert_eq!((&by_model[1]["model"], &by_model[1]["cost_nano_usd"]), (&json!("slow"), &json!(5_000)));
    let by_provider = by("provider").await;
    assert_eq!((&by_provider[0]["provider"], &by_provider[0]["requests"]), (&Value::Null, &json!(1)));
    assert!(by_provider[0].get("model").is_none(), "not grouped by it");
    let by_both = by("api_key,user").await;
    assert_eq!(by_both.len(), 3);
    assert!(by_both.iter().any(|group| group["api_key_id"] == json!(key) && group["user_id"] == json!(bob.user)));
    assert_eq!(by("operation,day").await.len(), 3);

    for (filter, requests) in [
        ("model=slow", 1),
        ("provider=openai", 3),
        ("operation=embeddings", 1),
        (&format!("user_id={}", bob.user), 2),
        (&format!("api_key_id={key}"), 1),
        ("from=2026-02-01T00:00:00Z", 5),
        ("to=2026-03-02T00:00:00Z", 1),
        ("from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z", 0),
    ] {
        let report: Value = app.get(&format!("{USAGE}?{filter}"), &ada).await.json(200);
        assert_eq!(report["totals"]["requests"], requests, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_group_once() {
    let app = builder().start().await;
    let (ada, bob) = people();
    let days = (1..=2).flat_map(|day| (0..12).map(move |hour| format!("2026-03-0{day}T{hour:02}:00:00Z")));
    record(&app, days.flat_map(|at| [call(&ada, &at), Call { provider: None, ..call(&bob, &at) }])).await;
    let (mut groups, mut requests, mut cursor) = (0, 0, String::new());
    loop {
        let page: Value = app.get(&format!("{USAGE}?group_by=day,provider,user&limit=3{cursor}"), &ada).await.json(200);
        assert_eq!(page["totals"]["requests"], 48, "of all pages");
        let items = page["items"].as_array().unwrap();
        groups += items.len();
        requests += items.iter().map(|item| item["requests"].as_i64().unwrap()).sum::<i64>();
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        // Time goes on between two pages, and more is used; the pages are about what the first one was.
        app.clock.advance(chrono::TimeDelta::seconds(5));
        record(&app, [call(&ada, "2026-03-02T12:00:01Z")]).await;
    }
    assert_eq!((groups, requests), (4, 48));

    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Value = app.get(&format!("{RECORDS}?to=2026-03-02T12:00:00Z&limit=20{cursor}"), &ada).await.json(200);
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids.len(), 48);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 48);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_their_own_and_admins_everybodys() {
    let app = builder().start().await;
    let (ada, bob) = people();
    let viewer = ada.colleague(Role::Viewer);
    record(&app, [call(&ada, "2026-03-02T00:00:00Z"), call(&bob, "2026-03-02T01:00:00Z")]).await;
    let requests = async |who: &Actor| app.get(USAGE, who).await.json::<Value>(200)["totals"]["requests"].clone();
    assert_eq!((requests(&ada).await, requests(&bob).await, requests(&viewer).await), (json!(2), json!(1), json!(0)));
    assert_eq!(requests(&Actor::new(Role::Owner)).await, 0);
    let list: Value = app.get(RECORDS, &bob).await.json(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["user_id"], json!(bob.user));
    for path in [USAGE, RECORDS, "/v1/ai/usage/forecast"] {
        let path = format!("{path}?user_id={}", ada.user);
        assert_eq!(app.get(&path, &bob).await.problem(403), "insufficient_scope", "{path}");
        assert_eq!(app.get(&path, &ada).await.status, 200);
        assert_eq!(app.send(Method::GET, &path, None, None).await.problem(401), "unauthenticated");
        let token = app.auth.token_with(&ada, |claims| claims.scope = "ai:invoke".parse().unwrap());
        assert_eq!(app.send(Method::GET, &path, Some(&token), None).await.problem(403), "insufficient_scope");
    }
    let own = format!("{USAGE}?user_id={}", bob.user);
    assert_eq!(app.get(&own, &bob).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named() {
    let app = builder().start().await;
    let (ada, _) = people();
    for query in [
        "group_by=week",
        "group_by=day,day",
        "group_by=",
        "from=yesterday",
        "format=xml",
        "user_id=me",
        "operation=paint",
        "limit=0",
        "offset=1",
        "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
        "from=2024-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
    ] {
        assert_eq!(app.get(&format!("{USAGE}?{query}"), &ada).await.problem(400), "invalid_parameter", "{query}");
    }
    // A cursor is of its list, with its filters.
    let page: Value = app.get(&format!("{RECORDS}?limit=1"), &ada).await.json(200);
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(app.get(&format!("{RECORDS}?cursor=forged"), &ada).await.problem(400), "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_every_line_and_no_formula() {
    let app = builder().start().await;
    let (ada, bob) = people();
    let hours = (0..30).map(|hour| format!("2026-03-{:02}T{:02}:30:00Z", 1 + hour / 24, hour % 24 / 3));
    record(&app, hours.map(|at| Call { model: "=cmd|'/c calc'!A1,\"x\"", ..call(&ada, &at) })).await;
    record(&app, [call(&bob, "2026-03-02T00:00:00Z")]).await;
    let answer = app.get(&format!("{USAGE}?group_by=day,model&format=csv"), &ada).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"usage.csv\""));
    let cell = "\"'=cmd|'/c calc'!A1,\"\"x\"\"\"";
    let text = format!(
        "day,model,requests,failed_requests,cached_requests,input_tokens,cached_input_tokens,output_tokens,reasoning_tokens,cost_nano_usd\r\n\
         2026-03-01,{cell},24,0,0,2400,240,480,120,24000\r\n\
         2026-03-02,{cell},6,0,0,600,60,120,30,6000\r\n\
         2026-03-02,fast,1,0,0,100,10,20,5,1000\r\n"
    );
    assert_eq!(answer.text(), text);

    let request = app.request(Method::GET, RECORDS).bearer_auth(app.auth.token(&bob)).header("accept", "text/csv");
    let answer = Answer::to(request).await;
    let lines: Vec<String> = answer.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "his one call, and what its cells are");
    assert!(lines[0].starts_with("id,recorded_at,user_id,") && lines[1].contains(&bob.user.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_longer_than_a_page_of_the_database() {
    let app = builder().start().await;
    let (ada, _) = people();
    let (org, user) = (ada.org, ada.user);
    app.db.admin(move |conn| conn.batch_execute(&many(&org.to_string(), user, 2_500)).unwrap()).await;
    let answer = app.get(&format!("{RECORDS}?format=csv"), &ada).await;
    let text = answer.text();
    let mut ids: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids.len(), 2_500);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_500, "each once");
}

fn many(org: &str, user: UserId, count: u32) -> String {
    format!(
        "INSERT INTO ai.usage_records (id, recorded_at, org_id, user_id, model, model_id, operation, input_tokens, \
         cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, estimated, cached, streamed, \
         outcome, duration_ms, attempts) \
         SELECT gen_random_uuid(), timestamptz '2026-03-01T00:00:00Z' + n / 3 * interval '1 second', '{org}', '{user}', 'fast', \
         gen_random_uuid(), 'chat', 1, 0, 0, 1, 0, 1, false, false, false, 'completed', 1, 1 FROM generate_series(1, {count}) n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_month_is_foretold_and_not_from_two_days() {
    let app = builder().start().await;
    let (ada, bob) = people();
    record(&app, ["2026-02-28T08:00:00Z", "2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z"].map(|at| call(&ada, at)))
        .await;
    let path = "/v1/ai/usage/forecast";
    let foretold: Value = app.get(path, &ada).await.json(200);
    let nothing = json!({"month": "2026-03-01", "spent_nano_usd": 2_000, "days_of_data": 2, "forecast": null});
    assert_eq!(foretold, nothing);
    record(&app, ["2026-02-27T08:00:00Z"].map(|at| call(&ada, at))).await;
    let foretold: Value = app.get(path, &ada).await.json(200);
    // Two days so far; at noon half of this day is to come, and 29 days after it.
    let total = 2_000 + 500 + 29_000;
    let expected = json!({"cost_nano_usd": total, "low_nano_usd": total, "high_nano_usd": total});
    assert_eq!((&foretold["days_of_data"], &foretold["forecast"]), (&json!(3), &expected));
    let bobs: Value = app.get(path, &bob).await.json(200);
    assert_eq!((&bobs["spent_nano_usd"], &bobs["forecast"]), (&json!(0), &Value::Null));
}

/// The second wall: what the service's own role reaches without the first.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_shows_an_organization_its_own_rows_only() {
    let app = builder().start().await;
    let (ada, stranger) = (Actor::new(Role::Admin), Actor::new(Role::Admin));
    for who in [&ada, &stranger] {
        record(&app, [call(who, "2026-03-02T00:00:00Z")]).await;
        let body = json!({"subject": "user", "window": "day", "metric": "tokens", "limit": 5});
        assert_eq!(app.post("/v1/ai/quotas", who, &body).await.status, 201);
    }
    let url = app.db.app_url();
    let count = |who: Option<&Actor>, table: &str| -> i64 {
        #[derive(db::diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::BigInt)]
            n: i64,
        }
        let mut conn = PgConnection::establish(&url).unwrap();
        if let Some(who) = who {
            conn.batch_execute(&format!("SELECT set_config('app.org', '{}', false)", who.org)).unwrap();
        }
        sql_query(format!("SELECT count(*) AS n FROM ai.{table}")).get_result::<Row>(&mut conn).unwrap().n
    };
    let tables = ["usage_records", "quotas", "quota_windows", "quota_leases", "team_members", "deleted_teams"];
    for table in tables {
        assert_eq!(count(None, table), 0, "{table} without a tenant");
    }
    for table in ["usage_records", "quotas"] {
        assert_eq!((count(Some(&ada), table), count(Some(&stranger), table)), (1, 1), "{table}");
    }
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&format!("SELECT set_config('app.org', '{}', false)", ada.org)).unwrap();
    for (attempt, refusal) in [
        ("UPDATE ai.usage_records SET cost_nano_usd = 0", "permission denied"),
        ("DELETE FROM ai.usage_records", "permission denied"),
        (&format!("UPDATE ai.quotas SET org_id = '{}'", stranger.org), "row-level security"),
        ("UPDATE ai.quotas SET org_id = NULL", "row-level security"),
        ("SET ROLE brainops_ai_system; DELETE FROM ai.usage_records", "permission denied"),
    ] {
        let refused = conn.batch_execute(attempt).unwrap_err().to_string();
        assert!(refused.contains(refusal), "{attempt}: {refused}");
        conn.batch_execute("RESET ROLE").unwrap();
    }
}
