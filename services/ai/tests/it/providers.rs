//! `/v1/ai/providers`: addresses that may be called, keys that are never seen again.

use contracts::{Role, ai::v1::ModelChanged};
use db::diesel::{QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query, sql_types};
use kit::seal::Keyring;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, providers::FakeProvider};

use crate::support::{KEY, Stage, merged, model};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_made_read_changed_and_deleted() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let body = json!({"name": "own", "kind": "anthropic", "key": KEY});
    let answer = stage.app.post("/v1/ai/providers", &ann, &body).await;
    let made: Value = answer.json(201);
    assert_eq!((&made["base_url"], &made["scope"]), (&json!("https://api.anthropic.com/v1"), &json!("organization")));
    assert_eq!(
        (&made["has_key"], &made["key_hint"], &made["source"]),
        (&json!(true), &json!("WXYZ"), &json!("custom"))
    );
    let path = answer.header("location").unwrap().to_owned();
    assert_eq!(stage.app.get(&path, &ann).await.json::<Value>(200), made);
    assert_eq!(stage.app.post("/v1/ai/providers", &ann, &body).await.problem(409), "provider_name_taken");

    let now: Value = stage.app.patch(&path, &ann, &json!({"name": "other", "key": null})).await.json(200);
    assert_eq!((&now["name"], &now["has_key"], &now["version"]), (&json!("other"), &json!(false), &json!(2)));
    let same: Value = stage.app.patch(&path, &ann, &json!({"name": "other"})).await.json(200);
    assert_eq!(same["version"], 2, "a change of nothing makes no version");
    let late = stage.send_with(Method::PATCH, &path, &ann, ("if-match", "\"1\""), Some(&json!({"name": "x"}))).await;
    assert_eq!(late.problem(412), "precondition_failed");

    for (who, code) in [(Actor::new(Role::Owner), "provider_not_found"), (stage.operator, "provider_not_found")] {
        assert_eq!(stage.app.get(&path, &who).await.problem(404), code);
        assert_eq!(stage.app.patch(&path, &who, &json!({"name": "stolen"})).await.problem(404), code);
        assert_eq!(stage.delete(&path, &who).await.problem(404), code);
        assert_eq!(stage.app.post(&format!("{path}/test"), &who, &json!({})).await.problem(404), code);
    }
    assert_eq!(stage.delete(&path, &ann).await.status, 204);
    assert_eq!(stage.delete(&path, &ann).await.status, 204);
    assert_eq!(stage.app.get(&path, &ann).await.problem(404), "provider_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_names_public_https_servers_only() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    for url in [
        "http://api.example.org/v1",
        "https://127.0.0.1/v1",
        "https://2130706433/v1",
        "https://0x7f.1/v1",
        "https://[::1]/v1",
        "https://[::ffff:10.0.0.1]/v1",
        "https://10.1.2.3/v1",
        "https://169.254.169.254/latest",
        "https://localhost/v1",
        "https://metadata.google.internal/",
        "https://inference.local:8443/v1",
        "https://user:password@api.example.org/v1",
        "https://api.example.org/v1?key=1",
        "https://api.example.org/v1#x",
        "file:///etc/passwd",
        "gopher://api.example.org/",
        "api.example.org/v1",
        "",
    ] {
        let body = json!({"name": "p", "kind": "openai", "base_url": url});
        assert_eq!(stage.app.post("/v1/ai/providers", &ann, &body).await.bad_fields(422), ["base_url"], "{url}");
    }
    for url in ["ftp://10.0.0.1/", "http://user@10.0.0.1/v1", "http://10.0.0.1/v1?a=b"] {
        let body = json!({"name": "p", "kind": "openai", "base_url": url, "scope": "global"});
        assert_eq!(
            stage.app.post("/v1/ai/providers", &stage.operator, &body).await.bad_fields(422),
            ["base_url"],
            "{url}"
        );
    }
    let body = json!({"name": "p", "kind": "openai", "base_url": "http://10.0.0.1:8000/v1/", "scope": "global"});
    let made: Value = stage.app.post("/v1/ai/providers", &stage.operator, &body).await.json(201);
    assert_eq!(made["base_url"], "http://10.0.0.1:8000/v1", "operators know their own network");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let bad = json!({"name": "Not A Name", "kind": "openai", "base_url": "nowhere", "key": "two words"});
    assert_eq!(stage.app.post("/v1/ai/providers", &ann, &bad).await.bad_fields(422), ["base_url", "key", "name"]);
    let bad = json!({"name": "p", "kind": "skynet", "key": "k".repeat(4097), "trusted": true, "org_id": ann.org});
    let fields = stage.app.post("/v1/ai/providers", &ann, &bad).await.bad_fields(422);
    for field in ["kind", "trusted", "org_id"] {
        assert!(fields.iter().any(|bad| bad == field), "{field} in {fields:?}");
    }
    let id = stage.provider(&ann, &json!({})).await;
    let path = format!("/v1/ai/providers/{id}");
    for field in ["id", "org_id", "scope", "source", "kind", "trusted", "has_key", "version", "key_sealed"] {
        assert_eq!(stage.app.patch(&path, &ann, &json!({field: "x"})).await.bad_fields(422), [field]);
    }
    let nulls = json!({"name": null, "base_url": null});
    assert_eq!(stage.app.patch(&path, &ann, &nulls).await.bad_fields(422), ["base_url", "name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_not_move_to_another_server() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let path = format!("/v1/ai/providers/{}", stage.provider(&ann, &json!({})).await);
    let moved = json!({"base_url": "https://evil.example.org/v1"});
    assert_eq!(stage.app.patch(&path, &ann, &moved).await.bad_fields(422), ["key"]);
    let now: Value = stage.app.get(&path, &ann).await.json(200);
    assert_eq!((&now["base_url"], &now["version"]), (&json!("https://api.openai.com/v1"), &json!(1)));

    let with_key = merged(&moved, &json!({"key": "sk-for-the-other-server-1234"}));
    let now: Value = stage.app.patch(&path, &ann, &with_key).await.json(200);
    assert_eq!((&now["base_url"], &now["key_hint"]), (&moved["base_url"], &json!("1234")));
    let without = json!({"base_url": "https://third.example.org/v1", "key": null});
    let now: Value = stage.app.patch(&path, &ann, &without).await.json(200);
    assert_eq!(now["has_key"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_nowhere_to_be_seen_again() {
    #[derive(QueryableByName)]
    struct Dump {
        #[diesel(sql_type = sql_types::Text)]
        dump: String,
    }
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ann = Actor::new(Role::Admin);
    let body = json!({"name": "own", "kind": "openai", "key": KEY});
    let made = stage.send_with(Method::POST, "/v1/ai/providers", &ann, ("idempotency-key", "k"), Some(&body)).await;
    let id = made.json::<Value>(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/ai/providers/{id}");
    let mut seen = vec![made.text()];
    seen.push(stage.app.get(&path, &ann).await.text());
    seen.push(stage.app.get("/v1/ai/providers", &ann).await.text());
    seen.push(stage.app.patch(&path, &ann, &json!({"key": KEY, "name": "renamed"})).await.text());
    seen.push(stage.app.patch(&path, &ann, &json!({"key": KEY, "name": 7})).await.text());
    seen.push(stage.app.post("/v1/ai/models", &ann, &model("m", &id)).await.text());
    seen.push(stage.app.get("/v1/ai/models", &ann).await.text());
    events.wait::<ModelChanged>(|_| true).await;
    seen.push(serde_json::to_string(&events.all()).unwrap());
    let tables = ["providers", "models", "routes", "audit_log", "outbox_events", "idempotency_keys"];
    let sql = tables.map(|table| format!("SELECT {table}::text AS dump FROM ai.{table}")).join(" UNION ALL ");
    let dump: Vec<Dump> = stage.app.db.admin(move |conn| sql_query(sql).load(conn).unwrap()).await;
    assert!(dump.len() >= 4);
    seen.extend(dump.into_iter().map(|row| row.dump));
    for text in &seen {
        assert!(!text.contains(&KEY[..24]), "{text}");
        let hex = KEY.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert!(!text.contains(&hex[..48]), "as bytes: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_models_need_stays_and_its_change_is_theirs_too() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let events = stage.app.record().await;
    let id = stage.faked(&fake).await;
    let path = format!("/v1/ai/providers/{id}");
    let body = merged(&model("shared", &id), &json!({"scope": "global"}));
    let made: Value = stage.app.post("/v1/ai/models", &stage.operator, &body).await.json(201);
    let mel = Actor::new(Role::Member);
    assert_eq!(stage.chat(&mel, "shared").await.status, 200);
    assert_eq!(stage.delete(&path, &stage.operator).await.problem(409), "provider_in_use");

    // A key that was found out is replaced: the next call goes with the new one.
    assert_eq!(stage.app.patch(&path, &stage.operator, &json!({"key": "sk-not-the-one"})).await.status, 200);
    let answer = stage.chat(&mel, "shared").await;
    assert!(answer.status >= 500, "our key is our fault: {}", answer.text());
    assert!(!answer.text().contains("sk-not"), "{}", answer.text());
    assert_eq!(stage.app.patch(&path, &stage.operator, &json!({"key": FakeProvider::KEY})).await.status, 200);

    let model: Value =
        stage.app.get(&format!("/v1/ai/models/{}", made["id"].as_str().unwrap()), &stage.operator).await.json(200);
    assert_eq!(model["version"], 3);
    let (_, event) = events.wait::<ModelChanged>(|event| event.version == 3).await;
    assert_eq!(event.change, "updated");

    assert_eq!(
        stage.delete(&format!("/v1/ai/models/{}", made["id"].as_str().unwrap()), &stage.operator).await.status,
        204
    );
    assert_eq!(stage.delete(&path, &stage.operator).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_tells_whether_the_key_is_good() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let path = format!("/v1/ai/providers/{}", stage.faked(&fake).await);
    let trial: Value = stage.app.post(&format!("{path}/test"), &stage.operator, &json!({})).await.json(200);
    assert_eq!(
        (&trial["ok"], &trial["models"], trial.get("error")),
        (&json!(true), &json!(["gpt-fake", "gpt-fake-mini"]), None)
    );
    assert!(trial["latency_ms"].is_u64());
    fake.assert_clean();

    assert_eq!(stage.app.patch(&path, &stage.operator, &json!({"key": "sk-wrong"})).await.status, 200);
    let trial: Value = stage.app.post(&format!("{path}/test"), &stage.operator, &json!({})).await.json(200);
    assert_eq!((&trial["ok"], &trial["error"], trial.get("models")), (&json!(false), &json!("unauthenticated"), None));

    let nowhere = json!({"base_url": "http://127.0.0.1:1/v1", "key": "sk-x"});
    assert_eq!(stage.app.patch(&path, &stage.operator, &nowhere).await.status, 200);
    let trial: Value = stage.app.post(&format!("{path}/test"), &stage.operator, &json!({})).await.json(200);
    assert_eq!((&trial["ok"], &trial["error"]), (&json!(false), &json!("unreachable")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizations_provider_does_not_reach_into_our_network_even_from_the_table() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let ann = Actor::new(Role::Admin);
    let id = stage.provider(&ann, &json!({})).await;
    // As if its name had resolved to a public address when it was made.
    let sql = format!("UPDATE ai.providers SET base_url = '{}' WHERE id = '{id}'", fake.openai_url());
    stage.app.db.admin(move |conn| conn.batch_execute(&sql).unwrap()).await;
    let trial: Value = stage.app.post(&format!("/v1/ai/providers/{id}/test"), &ann, &json!({})).await.json(200);
    assert_eq!(trial["ok"], false, "{trial}");
    assert!(stage.app.post("/v1/ai/models", &ann, &model("m", &id)).await.is_success());
    assert!(stage.chat(&ann, "m").await.status >= 500);
    assert!(fake.requests().is_empty(), "{:?}", fake.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_of_the_environment_are_shown_to_operators_and_changed_by_nobody() {
    let stage = Stage::with(|app| {
        app.env("OPENAI_API_KEY", "sk-of-the-environment-WXYZ")
            .env("BRAINOPS_LOCAL_INFERENCE_URL", "http://127.0.0.1:9")
    })
    .await;
    let ann = Actor::new(Role::Owner);
    let own = stage.provider(&ann, &json!({})).await;
    let list: Value = stage.app.get("/v1/ai/providers", &ann).await.json(200);
    let ids = |list: &Value| list["items"].as_array().unwrap().iter().map(|p| p["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&list), [json!(own)], "what the installation has is no business of an organization's");

    let mut found = Vec::new();
    let mut path = "/v1/ai/providers?limit=1".to_owned();
    loop {
        let page: Value = stage.app.get(&path, &stage.operator).await.json(200);
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/ai/providers?limit=1&cursor={cursor}");
    }
    let mut names: Vec<_> = found.iter().map(|p| p["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["local", "openai"]);
    let openai = found.iter().find(|p| p["name"] == "openai").unwrap();
    assert_eq!(
        (&openai["source"], &openai["has_key"], &openai["key_hint"]),
        (&json!("environment"), &json!(true), &json!("WXYZ"))
    );

    let path = format!("/v1/ai/providers/{}", openai["id"].as_str().unwrap());
    assert_eq!(stage.app.get(&path, &stage.operator).await.json::<Value>(200), *openai);
    assert_eq!(stage.app.patch(&path, &stage.operator, &json!({"name": "x"})).await.problem(409), "built_in");
    assert_eq!(stage.delete(&path, &stage.operator).await.problem(409), "built_in");
    assert_eq!(stage.app.get(&path, &ann).await.problem(404), "provider_not_found");
    assert_eq!(stage.app.patch(&path, &ann, &json!({"name": "x"})).await.problem(404), "provider_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_master_key_seals_what_the_old_one_had_sealed() {
    #[derive(QueryableByName)]
    struct Sealed {
        #[diesel(sql_type = sql_types::Text)]
        key_sealed: String,
    }
    let (old, new) =
        ("old:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "new:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=");
    let stage = Stage::with(|app| {
        app.env("BRAINOPS_MASTER_KEYS", format!("{new},{old}")).env("BRAINOPS_AI_RESEAL_INTERVAL_MS", "20")
    })
    .await;
    let fake = FakeProvider::start().await;
    let id = stage.faked(&fake).await;
    let ring = Keyring::from_config(old).unwrap();
    let sealed = ring.seal(&format!("providers/{id}"), FakeProvider::KEY.as_bytes()).unwrap();
    let sql = format!("UPDATE ai.providers SET key_sealed = '{sealed}' WHERE id = '{id}'");
    stage.app.db.admin(move |conn| conn.batch_execute(&sql).unwrap()).await;
    let resealed = async {
        loop {
            let rows: Vec<Sealed> =
                stage.app.db.admin(|conn| sql_query("SELECT key_sealed FROM ai.providers").load(conn).unwrap()).await;
            if rows[0].key_sealed.starts_with("v1.new.") {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), resealed).await.expect("sealed anew");
    let trial: Value =
        stage.app.post(&format!("/v1/ai/providers/{id}/test"), &stage.operator, &json!({})).await.json(200);
    assert_eq!(trial["ok"], true, "it is still the same key: {trial}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_open_says_so_and_takes_its_models_out() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let id = stage.faked(&fake).await;
    let other = stage.provider(&stage.operator, &json!({"name": "other", "scope": "global"})).await;
    // A sealed key that was moved from another row opens nowhere else.
    let sql = format!(
        "UPDATE ai.providers SET key_sealed = (SELECT key_sealed FROM ai.providers WHERE id = '{other}') WHERE id = '{id}'"
    );
    stage.app.db.admin(move |conn| conn.batch_execute(&sql).unwrap()).await;
    let trial: Value =
        stage.app.post(&format!("/v1/ai/providers/{id}/test"), &stage.operator, &json!({})).await.json(200);
    assert_eq!((&trial["ok"], &trial["error"]), (&json!(false), &json!("key_unreadable")));
    let body = merged(&model("m", &id), &json!({"scope": "global"}));
    assert_eq!(stage.app.post("/v1/ai/models", &stage.operator, &body).await.status, 201);
    assert!(!stage.usable(&stage.operator).await.contains(&"m".to_owned()));
    assert!(fake.requests().is_empty());
}
