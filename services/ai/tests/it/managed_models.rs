//! `/v1/ai/models`: made, found, changed, deleted, by whom it may be.

use contracts::{Role, ai::v1::ModelChanged};
use db::diesel::{QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _, sql_query, sql_types};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Actor, providers::FakeProvider};

use crate::support::{Stage, merged, model};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_there_at_once_for_everybody_of_the_organization() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ann = Actor::new(Role::Admin);
    let mel = ann.colleague(Role::Member);
    assert!(stage.usable(&mel).await.is_empty());
    let provider = stage.provider(&ann, &json!({})).await;

    let answer = stage.app.post("/v1/ai/models", &ann, &model("support", &provider)).await;
    let made: Value = answer.json(201);
    assert_eq!(
        (&made["scope"], &made["source"], &made["version"]),
        (&json!("organization"), &json!("custom"), &json!(1))
    );
    assert_eq!(made["routes"][0]["provider_id"], provider);
    assert_eq!(
        (&made["routes"][0]["weight"], &made["enabled"], &made["access"]),
        (&json!(1), &json!(true), &json!({}))
    );
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let location = answer.header("location").unwrap();
    assert_eq!(stage.app.get(location, &ann).await.json::<Value>(200), made);
    assert_eq!(stage.usable(&mel).await, ["support"]);
    assert!(stage.usable(&Actor::new(Role::Owner)).await.is_empty(), "nobody else has it");

    let (envelope, event) = events.wait::<ModelChanged>(|_| true).await;
    assert_eq!((event.alias.as_str(), event.change.as_str(), event.version), ("support", "created", 1));
    assert_eq!((envelope.org, event.organization_id), (Some(ann.org), Some(ann.org.to_string())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_the_installation_is_called_by_everybody_and_changed_by_its_operators() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let events = stage.app.record().await;
    let provider = stage.faked(&fake).await;
    let body = merged(&model("shared", &provider), &json!({"scope": "global"}));
    let ann = Actor::new(Role::Owner);
    assert_eq!(stage.app.post("/v1/ai/models", &ann, &body).await.problem(403), "operator_required");
    let made: Value = stage.app.post("/v1/ai/models", &stage.operator, &body).await.json(201);
    let (envelope, event) = events.wait::<ModelChanged>(|_| true).await;
    assert_eq!((envelope.org, event.organization_id), (None, None));

    let answer: Value = stage.chat(&ann, "shared").await.json(200);
    assert_eq!(answer["model"], "shared");
    assert_eq!(fake.last_request().body["model"], "gpt-5-mini");

    let path = format!("/v1/ai/models/{}", made["id"].as_str().unwrap());
    let seen: Value = stage.app.get(&path, &ann).await.json(200);
    assert_eq!((&seen["alias"], seen.get("routes"), seen.get("access")), (&json!("shared"), None, None));
    assert_eq!(stage.app.patch(&path, &ann, &json!({"enabled": false})).await.problem(403), "operator_required");
    assert_eq!(stage.delete(&path, &ann).await.problem(403), "operator_required");
    let viewer = stage.operator.colleague(Role::Viewer);
    assert_eq!(stage.app.patch(&path, &viewer, &json!({"enabled": false})).await.problem(403), "insufficient_scope");

    let changed: Value = stage.app.patch(&path, &stage.operator, &json!({"enabled": false})).await.json(200);
    assert_eq!(changed["version"], 2);
    let refused: Value = stage.chat(&ann, "shared").await.json(404);
    assert_eq!(refused["error"]["code"], "model_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_and_nothing_is_stored() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let foreign = stage.provider(&Actor::new(Role::Admin), &json!({})).await;
    let bad = json!({
        "alias": "-bad alias", "display_name": "\u{7}", "context_window": 0, "max_output_tokens": 1,
        "capabilities": ["tools"], "prices": {"input": -1, "output": 1_000_000_001_i64},
        "access": {"users": vec![ann.user; 101]},
        "routes": [{"provider_id": foreign, "model": "", "weight": 0, "fallback": 99, "region": "Über"}],
    });
    let fields = stage.app.post("/v1/ai/models", &ann, &bad).await.bad_fields(422);
    let expected = [
        "access.users",
        "alias",
        "capabilities",
        "context_window",
        "display_name",
        "max_output_tokens",
        "prices.input",
        "prices.output",
        "routes",
        "routes[0].fallback",
        "routes[0].model",
        "routes[0].provider_id",
        "routes[0].region",
    ];
    assert_eq!(fields, expected);

    let misfit = json!({"alias": 7, "context_window": -1, "capabilities": ["flying"], "prices": {}, "routes": [{"provider_id": "x"}],
        "access": {"role": "king"}, "scope": "galaxy"});
    let fields = stage.app.post("/v1/ai/models", &ann, &misfit).await.bad_fields(422);
    for field in ["alias", "context_window", "scope", "access.role"] {
        assert!(fields.iter().any(|bad| bad.starts_with(field)), "{field} in {fields:?}");
    }
    let list: Value = stage.app.get("/v1/ai/models", &ann).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_assigns_what_is_not_theirs_to_assign() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    let made: Value = stage.app.post("/v1/ai/models", &ann, &model("a", &provider)).await.json(201);
    let path = format!("/v1/ai/models/{}", made["id"].as_str().unwrap());
    for field in ["id", "org_id", "organization_id", "source", "version", "created_at", "trusted"] {
        let body = merged(&model("b", &provider), &json!({field: "x"}));
        assert_eq!(stage.app.post("/v1/ai/models", &ann, &body).await.bad_fields(422), [field]);
        assert_eq!(stage.app.patch(&path, &ann, &json!({field: "x"})).await.bad_fields(422), [field]);
    }
    assert_eq!(stage.app.patch(&path, &ann, &json!({"scope": "global"})).await.bad_fields(422), ["scope"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_merges_and_replaces_the_routes_as_a_whole() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    let made: Value = stage.app.post("/v1/ai/models", &ann, &model("m", &provider)).await.json(201);
    let path = format!("/v1/ai/models/{}", made["id"].as_str().unwrap());

    let change = json!({"display_name": "M", "max_output_tokens": null, "prices": {"cached_input": 25, "output": 3000},
        "access": {"role": "admin", "users": [ann.user]}});
    let now: Value = stage.app.patch(&path, &ann, &change).await.json(200);
    assert_eq!(now["prices"], json!({"input": 250, "cached_input": 25, "output": 3000}));
    assert_eq!(now["access"], json!({"role": "admin", "users": [ann.user]}));
    assert_eq!(
        (&now["version"], &now["display_name"], &now["max_output_tokens"]),
        (&json!(2), &json!("M"), &Value::Null)
    );
    let (_, event) = events.wait::<ModelChanged>(|event| event.change == "updated").await;
    assert_eq!(event.version, 2);

    let now: Value = stage
        .app
        .patch(&path, &ann, &json!({"access": {"role": null}, "prices": {"cached_input": null}}))
        .await
        .json(200);
    assert_eq!(
        (&now["access"], &now["prices"]),
        (&json!({"users": [ann.user]}), &json!({"input": 250, "output": 3000}))
    );

    let kept = made["routes"][0]["id"].clone();
    let routes = json!([{"provider_id": provider, "model": "gpt-5"}, {"provider_id": provider, "model": "gpt-5-mini", "fallback": 1}]);
    let now: Value = stage.app.patch(&path, &ann, &json!({"routes": routes})).await.json(200);
    assert_eq!(
        (&now["routes"][1]["id"], &now["routes"][1]["fallback"]),
        (&kept, &json!(1)),
        "the same way keeps its id"
    );
    assert_ne!(now["routes"][0]["id"], kept);

    let same: Value = stage.app.patch(&path, &ann, &json!({"enabled": true})).await.json(200);
    assert_eq!(same["version"], now["version"], "a change of nothing makes no version");
    let nulls =
        json!({"alias": null, "capabilities": null, "routes": null, "prices": {"input": null}, "enabled": null});
    let fields = stage.app.patch(&path, &ann, &nulls).await.bad_fields(422);
    assert_eq!(fields, ["alias", "capabilities", "enabled", "prices.input", "routes"]);
    assert_eq!(
        stage.app.patch(&path, &ann, &json!({"max_output_tokens": 9000})).await.bad_fields(422),
        ["max_output_tokens"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_saw_the_same_version_one_is_told() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    let made: Value = stage.app.post("/v1/ai/models", &ann, &model("m", &provider)).await.json(201);
    let path = format!("/v1/ai/models/{}", made["id"].as_str().unwrap());
    let (one, two) = (json!({"display_name": "One"}), json!({"display_name": "Two"}));
    let change = |body| stage.send_with(Method::PATCH, &path, &ann, ("if-match", "\"1\""), Some(body));
    let (a, b) = tokio::join!(change(&one), change(&two));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let late = stage.send_with(Method::DELETE, &path, &ann, ("if-match", "\"1\""), None).await;
    assert_eq!(late.problem(412), "precondition_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_twice_is_no_mistake_and_another_organizations_is_not_there() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let (ann, eve) = (Actor::new(Role::Admin), Actor::new(Role::Owner));
    let provider = stage.provider(&ann, &json!({})).await;
    let made: Value = stage.app.post("/v1/ai/models", &ann, &model("m", &provider)).await.json(201);
    let path = format!("/v1/ai/models/{}", made["id"].as_str().unwrap());
    for who in [&eve, &stage.operator] {
        assert_eq!(stage.app.get(&path, who).await.problem(404), "model_not_found");
        assert_eq!(stage.app.patch(&path, who, &json!({"enabled": false})).await.problem(404), "model_not_found");
        assert_eq!(stage.delete(&path, who).await.problem(404), "model_not_found");
    }
    assert_eq!(stage.usable(&ann).await, ["m"]);
    assert_eq!(stage.delete(&path, &ann).await.status, 204);
    assert_eq!(stage.delete(&path, &ann).await.status, 204);
    assert_eq!(stage.delete(&path, &eve).await.problem(404), "model_not_found");
    assert!(stage.usable(&ann).await.is_empty());
    let (_, event) = events.wait::<ModelChanged>(|event| event.change == "deleted").await;
    assert_eq!(event.version, 2);
    let again: Value = stage.app.post("/v1/ai/models", &ann, &model("m", &provider)).await.json(201);
    assert_ne!(again["id"], made["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_are_unique_in_their_scope_and_the_organizations_own_comes_first() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let shared = stage.faked(&fake).await;
    let global = merged(&model("m", &shared), &json!({"scope": "global", "display_name": "Theirs"}));
    assert_eq!(stage.app.post("/v1/ai/models", &stage.operator, &global).await.status, 201);
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    // What hides the shared model is closed to members.
    let own = merged(&model("m", &provider), &json!({"access": {"role": "admin"}}));
    assert_eq!(stage.app.post("/v1/ai/models", &ann, &own).await.status, 201);
    let answer = stage.app.post("/v1/ai/models", &ann, &own).await;
    assert_eq!((answer.problem(409).as_str(), answer.bad_fields(409)), ("alias_taken", vec!["alias".to_owned()]));

    let refused: Value = stage.chat(&ann.colleague(Role::Member), "m").await.json(403);
    assert_eq!(refused["error"]["code"], "model_not_allowed");
    assert_eq!(stage.chat(&Actor::new(Role::Member), "m").await.status, 200, "elsewhere it is the shared one");
    let list: Value = stage.app.get("/v1/ai/models", &ann).await.json(200);
    let scopes: Vec<_> = list["items"].as_array().unwrap().iter().map(|model| &model["scope"]).collect();
    assert_eq!(scopes.len(), 2, "an admin sees both: {scopes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn access_rules_hold_for_calls_and_lists() {
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let provider = stage.faked(&fake).await;
    let mel = Actor::new(Role::Member);
    let (bob, vic) = (mel.colleague(Role::Member), mel.colleague(Role::Owner));
    let team = Actor::new(Role::Member).user;
    let rules = [
        ("by-role", json!({"role": "admin"}), [false, false, true]),
        ("by-user", json!({"users": [mel.user]}), [true, false, false]),
        ("by-team", json!({"teams": [team]}), [false, true, false]),
        ("by-either", json!({"teams": [team], "users": [mel.user]}), [true, true, false]),
        ("by-key", json!({"api_keys": [team]}), [false, false, false]),
    ];
    let sql = format!(
        "INSERT INTO ai.team_members (team_id, user_id, org_id, sequence, belongs) VALUES ('{team}', '{}', '{}', 1, true)",
        bob.user, bob.org
    );
    stage.app.db.admin(move |conn| conn.batch_execute(&sql).unwrap()).await;
    for (alias, access, _) in &rules {
        let body = merged(&model(alias, &provider), &json!({"scope": "global", "access": access}));
        assert_eq!(stage.app.post("/v1/ai/models", &stage.operator, &body).await.status, 201);
    }
    for (at, who) in [mel, bob, vic].iter().enumerate() {
        let listed = stage.usable(who).await;
        for (alias, _, allowed) in &rules {
            let answer = stage.chat(who, alias).await;
            let status = if allowed[at] { 200 } else { 403 };
            assert_eq!(answer.status, status, "{alias} for {at}: {}", answer.text());
            assert_eq!(listed.iter().any(|name| name == alias), allowed[at], "{alias} for {at} in the list");
        }
    }
    // The key behind a token decides as well.
    let key = contracts::ApiKeyId::from_uuid(team.uuid());
    let token = stage.app.auth.token_with(&mel, |claims| claims.api_key = Some(key));
    let body = json!({"model": "by-key", "messages": [{"role": "user", "content": "hello"}]});
    let answer = stage.app.send(Method::POST, "/v1/chat/completions", Some(&token), Some(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_does_not_route_to_what_is_not_its_own() {
    let fake = FakeProvider::start().await;
    let stage = Stage::with(|app| app.env("OPENAI_API_KEY", "sk-of-the-installation")).await;
    let shared = stage.faked(&fake).await;
    let all: Value = stage.app.get("/v1/ai/providers", &stage.operator).await.json(200);
    let built_in = all["items"].as_array().unwrap().iter().find(|p| p["source"] == "environment").unwrap().clone();
    let ann = Actor::new(Role::Owner);
    let strangers = stage.provider(&Actor::new(Role::Owner), &json!({})).await;
    for provider in [shared.as_str(), built_in["id"].as_str().unwrap(), &strangers] {
        let answer = stage.app.post("/v1/ai/models", &ann, &model("cheap", provider)).await;
        assert_eq!(answer.bad_fields(422), ["routes[0].provider_id"]);
    }
    // The operators' own organization is no exception: its own model is an organization's.
    let answer = stage.app.post("/v1/ai/models", &stage.operator, &model("cheap", &shared)).await;
    assert_eq!(answer.bad_fields(422), ["routes[0].provider_id"]);
    let global = merged(&model("fine", built_in["id"].as_str().unwrap()), &json!({"scope": "global"}));
    let made: Value = stage.app.post("/v1/ai/models", &stage.operator, &global).await.json(201);
    assert_eq!(made["routes"][0]["provider_id"], built_in["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_walk_through_everything_once_and_filters_hold() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    for alias in ["e", "b", "d", "a", "c"] {
        let more = match alias {
            "b" => json!({"enabled": false}),
            "c" => json!({"capabilities": ["embeddings"]}),
            _ => json!({}),
        };
        let body = merged(&model(alias, &provider), &more);
        assert_eq!(stage.app.post("/v1/ai/models", &ann, &body).await.status, 201);
    }
    let walk = async |filter: &str| {
        let (mut names, mut path) = (Vec::new(), format!("/v1/ai/models?limit=2{filter}"));
        loop {
            let page: Value = stage.app.get(&path, &ann).await.json(200);
            names.extend(page["items"].as_array().unwrap().iter().map(|m| m["alias"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { return names.concat() };
            path = format!("/v1/ai/models?limit=2{filter}&cursor={cursor}");
        }
    };
    assert_eq!(walk("").await, "abcde");
    assert_eq!(walk("&enabled=true").await, "acde");
    assert_eq!(walk("&enabled=false&scope=organization").await, "b");
    assert_eq!(walk("&capability=embeddings").await, "c");
    assert_eq!(walk("&scope=global").await, "");

    let page: Value = stage.app.get("/v1/ai/models?limit=2", &ann).await.json(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for (who, path) in [
        (&ann, format!("/v1/ai/models?limit=2&enabled=true&cursor={cursor}")),
        (&Actor::new(Role::Admin), format!("/v1/ai/models?limit=2&cursor={cursor}")),
        (&ann, "/v1/ai/models?cursor=AAAA".to_owned()),
    ] {
        assert_eq!(stage.app.get(&path, who).await.problem(400), "invalid_cursor", "{path}");
    }
    for query in ["limit=0", "capability=flying", "scope=galaxy", "enabled=yes", "page=2"] {
        let answer = stage.app.get(&format!("/v1/ai/models?{query}"), &ann).await;
        assert_eq!(answer.problem(400), "invalid_parameter", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_what_they_may_use_and_no_more_of_it_than_that() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    for (alias, more) in
        [("open", json!({})), ("off", json!({"enabled": false})), ("closed", json!({"access": {"role": "admin"}}))]
    {
        assert_eq!(stage.app.post("/v1/ai/models", &ann, &merged(&model(alias, &provider), &more)).await.status, 201);
    }
    let vic = ann.colleague(Role::Viewer);
    let list: Value = stage.app.get("/v1/ai/models", &vic).await.json(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{list}");
    assert_eq!((&items[0]["alias"], items[0].get("routes"), items[0].get("access")), (&json!("open"), None, None));
    assert_eq!(items[0]["prices"]["input"], 250);
    let list: Value = stage.app.get("/v1/ai/models", &ann).await.json(200);
    for hidden in list["items"].as_array().unwrap().iter().filter(|model| model["alias"] != "open") {
        let path = format!("/v1/ai/models/{}", hidden["id"].as_str().unwrap());
        assert_eq!(stage.app.get(&path, &vic).await.problem(404), "model_not_found");
        assert_eq!(stage.app.get(&path, &ann).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_gives_the_first_answer() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    let body = model("m", &provider);
    let send = |body| stage.send_with(Method::POST, "/v1/ai/models", &ann, ("idempotency-key", "k1"), Some(body));
    let first = send(&body).await;
    let again = send(&body).await;
    assert_eq!((first.status, first.text()), (again.status, again.text()));
    assert_eq!(
        (again.header("idempotency-replayed"), again.header("location")),
        (Some("true"), first.header("location"))
    );
    let other = send(&model("n", &provider)).await;
    assert_eq!(other.problem(422), "idempotency_mismatch");
    assert_eq!(stage.usable(&ann).await, ["m"]);
    // The same holds for what belongs to the installation.
    let global = json!({"name": "p", "kind": "anthropic", "scope": "global"});
    let send =
        || stage.send_with(Method::POST, "/v1/ai/providers", &stage.operator, ("idempotency-key", "k2"), Some(&global));
    let (first, again) = (send().await, send().await);
    assert_eq!((first.status, first.text()), (201, again.text()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_has_two_hundred_models_at_most() {
    let stage = Stage::start().await;
    let ann = Actor::new(Role::Admin);
    let provider = stage.provider(&ann, &json!({})).await;
    let sql = format!(
        "INSERT INTO ai.models (id, org_id, alias, context_window, capabilities, prices, created_at, updated_at) \
         SELECT gen_random_uuid(), '{}', 'm' || n, 1, ARRAY['chat'], '{{\"input\": 0, \"output\": 0}}', now(), now() \
         FROM generate_series(1, 200) n",
        ann.org
    );
    stage.app.db.admin(move |conn| conn.batch_execute(&sql).unwrap()).await;
    let answer = stage.app.post("/v1/ai/models", &ann, &model("one-more", &provider)).await;
    assert_eq!(answer.problem(409), "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_is_in_the_audit_log_of_whoever_changed_it() {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = sql_types::Text)]
        line: String,
    }
    let (stage, fake) = (Stage::start().await, FakeProvider::start().await);
    let provider = stage.faked(&fake).await;
    let body = merged(&model("shared", &provider), &json!({"scope": "global"}));
    let made: Value = stage.app.post("/v1/ai/models", &stage.operator, &body).await.json(201);
    let path = format!("/v1/ai/models/{}", made["id"].as_str().unwrap());
    assert_eq!(stage.app.patch(&path, &stage.operator, &json!({"enabled": false})).await.status, 200);
    assert_eq!(stage.delete(&path, &stage.operator).await.status, 204);
    let (org, user) = (stage.operator.org, stage.operator.user);
    let lines: Vec<Line> = stage
        .app
        .db
        .admin(move |conn| {
            sql_query(format!(
                "SELECT action || ' ' || subject_type || ' ' || (details->>'alias' IS NOT NULL) AS line \
                 FROM ai.audit_log WHERE org_id = '{org}' AND actor_id = '{user}' ORDER BY id"
            ))
            .load(conn)
            .unwrap()
        })
        .await;
    let lines: Vec<_> = lines.into_iter().map(|line| line.line).collect();
    assert_eq!(
        lines,
        [
            "provider.created provider false",
            "model.created model true",
            "model.updated model true",
            "model.deleted model true"
        ]
    );
}
