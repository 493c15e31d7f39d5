//! The second wall, tried from outside with `psql` as each role.

use contracts::Role;
use serde_json::json;
use testkit::Actor;

use crate::support::{Stage, merged, model};

fn psql(url: &str, who: Option<&Actor>, sql: &str) -> Result<String, String> {
    testkit::psql("ai", url, who, sql)
}

/// Two organizations with a provider and a model each, and the installation with another.
async fn populated() -> (Stage, [Actor; 2]) {
    let stage = Stage::start().await;
    let (ann, bob) = (Actor::new(Role::Admin), Actor::new(Role::Admin));
    for (who, more) in [(ann, json!({})), (bob, json!({})), (stage.operator, json!({"scope": "global"}))] {
        let provider = stage.provider(&who, &more).await;
        let body = merged(&model("m", &provider), &more);
        assert_eq!(stage.app.post("/v1/ai/models", &who, &body).await.status, 201);
    }
    (stage, [ann, bob])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_what_is_its_own() {
    let (stage, actors) = populated().await;
    let url = stage.app.db.app_url();
    let count = |who, table| psql(&url, who, &format!("SELECT count(*) FROM {table}"));
    for (table, shared) in [("providers", 0), ("models", 1), ("routes", 1)] {
        assert_eq!(count(None, table), Ok(shared.to_string()), "{table} without a tenant");
        for who in &actors {
            assert_eq!(count(Some(who), table), Ok((shared + 1).to_string()), "{table} of an organization");
        }
        let owner = psql(&stage.app.db.owner_url(), None, &format!("SELECT count(*) FROM {table}"));
        assert_eq!(owner.as_deref(), Ok("0"), "FORCE binds the owner of {table} too");
        let system = format!("SET ROLE brainops_ai_system; SELECT count(*) FROM {table}");
        assert_eq!(psql(&url, None, &system).as_deref(), Ok("3"), "the system role sees all, and must be named");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_role_cannot_step_out() {
    let (stage, [ann, bob]) = populated().await;
    let url = stage.app.db.app_url();
    let provider = |org: &str| {
        format!(
            "INSERT INTO providers (id, org_id, name, kind, base_url, created_at, updated_at) \
             VALUES (gen_random_uuid(), {org}, 'x', 'openai', 'https://example.org', now(), now())"
        )
    };
    let foreign_model = format!(
        "INSERT INTO models (id, org_id, alias, context_window, capabilities, prices, created_at, updated_at) \
         VALUES (gen_random_uuid(), '{}', 'x', 1, ARRAY['chat'], '{{}}', now(), now())",
        bob.org
    );
    let route = |provider: &str| {
        format!(
            "INSERT INTO routes (id, org_id, model_id, {provider}, upstream_model, weight, fallback, position) \
             SELECT gen_random_uuid(), org_id, id, {value}, 'x', 1, 0, 9 FROM models WHERE org_id = app_org()",
            value =
                if provider == "built_in" { "'openai'".to_owned() } else { format!("'{}'", id_of(&stage, provider)) },
            provider = if provider == "built_in" { "built_in" } else { "provider_id" },
        )
    };
    for (attempt, refusal) in [
        (provider(&format!("'{}'", bob.org)), "row-level security"),
        (provider("NULL"), "row-level security"),
        (foreign_model, "row-level security"),
        (route("built_in"), "violates check constraint"),
        (route("global"), "routes_own_provider_fkey"),
        (route(&bob.org.to_string()), "routes_own_provider_fkey"),
        ("ALTER TABLE providers DISABLE ROW LEVEL SECURITY".into(), "must be owner"),
        ("CREATE POLICY everything ON providers USING (true)".into(), "must be owner"),
        ("SET ROLE brainops_ai_owner".into(), "permission denied"),
        ("DELETE FROM tombstones".into(), "permission denied"),
    ] {
        let refused = psql(&url, Some(&ann), &attempt).unwrap_err();
        assert!(refused.contains(refusal), "{attempt}: {refused}");
    }
    for (table, whose) in
        [("models", format!("= '{}'", bob.org)), ("models", "IS NULL".into()), ("routes", "IS NULL".into())]
    {
        let taken = format!("DELETE FROM {table} WHERE org_id {whose} RETURNING 1");
        assert_eq!(psql(&url, Some(&ann), &taken).as_deref(), Ok(""), "rows of others are not there to be deleted");
    }
}

/// The provider of an organization, or of the installation.
fn id_of(stage: &Stage, owner: &str) -> String {
    let whose = if owner == "global" { "IS NULL".to_owned() } else { format!("= '{owner}'") };
    let sql = format!("SET ROLE brainops_ai_system; SELECT id FROM providers WHERE org_id {whose}");
    psql(&stage.app.db.app_url(), None, &sql).unwrap()
}
