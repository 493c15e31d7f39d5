//! The MCP server as hosts of both kinds see it: those that begin with `initialize`, and those that send all they have to
//! say with each request.

use contracts::{Role, Scope};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{Actor, Answer};

use crate::support::{Stage, eventually, merged, strings};

const BOTH: &str = "application/json, text/event-stream";

/// A request of a host that speaks 2025-11-25.
fn request(stage: &Stage, token: Option<&str>, method: &str, params: &Value) -> RequestBuilder {
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let request = stage.app.request(Method::POST, "/mcp").header("accept", BOTH).json(&message);
    let request = request.header("mcp-protocol-version", "2025-11-25");
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// The result of a request.
async fn asked(stage: &Stage, who: &Actor, method: &str, params: &Value) -> Value {
    let token = stage.app.auth.token(who);
    let answer: Value = Answer::to(request(stage, Some(&token), method, params)).await.json(200);
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)), "{answer}");
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

/// What a tool gives to whom, as structured content and as text.
async fn called_with(stage: &Stage, token: &str, tool: &str, arguments: &Value) -> Result<Value, Value> {
    let params = json!({"name": tool, "arguments": arguments});
    let answer: Value = Answer::to(request(stage, Some(token), "tools/call", &params)).await.json(200);
    let result = &answer["result"];
    let text = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    if result["isError"] == true {
        assert_eq!(result.get("structuredContent"), None, "{answer}");
        return Err(text);
    }
    assert_eq!(result["structuredContent"], text, "{answer}");
    Ok(text)
}

async fn called(stage: &Stage, who: &Actor, tool: &str, arguments: &Value) -> Value {
    called_with(stage, &stage.app.auth.token(who), tool, arguments).await.unwrap()
}

async fn refused(stage: &Stage, who: &Actor, tool: &str, arguments: &Value) -> String {
    let error = called_with(stage, &stage.app.auth.token(who), tool, arguments).await.unwrap_err();
    assert!(error["detail"].is_string() && error["request_id"].is_string(), "{error}");
    error["code"].as_str().unwrap().to_owned()
}

fn everything(query: &str) -> Value {
    json!({"query": query, "scope": {"organization": true}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_initializes_gets_no_session() {
    let stage = Stage::start().await;
    let token = stage.app.auth.token(&Actor::new(Role::Member));
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let answer = Answer::to(request(&stage, Some(&token), "initialize", &hello)).await;
    let result = &answer.json::<Value>(200)["result"];
    assert_eq!((answer.header("content-type"), answer.header("mcp-session-id")), (Some("application/json"), None));
    assert_eq!((&result["protocolVersion"], &result["serverInfo"]["name"]), (&json!("2025-11-25"), &json!("brainops")));
    assert!(result["capabilities"]["tools"].is_object() && result["instructions"].is_string(), "{result}");

    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let told = stage.app.request(Method::POST, "/mcp").header("accept", BOTH).bearer_auth(&token).json(&told);
    assert_eq!(Answer::to(told).await.status, 202);
    // A stream of its own and an end of the session: neither is offered.
    for method in [Method::GET, Method::DELETE] {
        let answer = Answer::to(stage.app.request(method, "/mcp").header("accept", BOTH).bearer_auth(&token)).await;
        assert_eq!((answer.problem(405).as_str(), answer.header("allow")), ("method_not_allowed", Some("POST")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_tell_what_they_take_and_give() {
    let stage = Stage::start().await;
    let listed = asked(&stage, &Actor::new(Role::Viewer), "tools/list", &json!({})).await;
    assert_eq!(listed["cacheScope"], "private");
    let tools = listed["tools"].as_array().unwrap();
    assert_eq!(strings(&listed["tools"], "name"), ["search_memory", "get_context", "add_memory", "list_sessions"]);
    for tool in tools {
        let reads = tool["name"] != "add_memory";
        assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{tool}");
        // All of it is there: nothing is named that stands elsewhere, and nothing is left open.
        assert!(!tool.to_string().contains("$ref") && !tool.to_string().contains("{}"), "{tool}");
        for schema in [&tool["inputSchema"], &tool["outputSchema"]] {
            assert_eq!(schema["type"], "object", "{schema}");
            for (name, field) in schema["properties"].as_object().unwrap() {
                assert!(field["description"].is_string(), "{name} in {tool}");
            }
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
    let of = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    let search = &of("search_memory")["inputSchema"];
    assert_eq!(search["required"], json!(["query", "scope"]));
    assert_eq!(search["properties"]["query"]["maxLength"], 4_000);
    assert_eq!(search["properties"]["scope"]["properties"]["collections"]["maxItems"], 100);
    assert_eq!(search["properties"]["filter"]["properties"]["kinds"]["items"]["enum"][0], "message");
    assert_eq!(of("list_sessions")["inputSchema"]["properties"]["limit"]["maximum"], 100);
    assert_eq!(of("add_memory")["inputSchema"]["required"], json!(["text"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tool_does_what_its_route_does() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let arguments = json!({"text": "Lives in Lisbon.", "tags": ["home"]});
    let added = called(&stage, &ada, "add_memory", &arguments).await;
    let path = format!("/v1/memory/memories/{}", added["id"].as_str().unwrap());
    assert_eq!(stage.app.get(&path, &ada).await.json::<Value>(200), added);
    assert_eq!((&added["user"], &added["tags"]), (&json!(ada.user), &json!(["home"])));
    assert_eq!(called(&stage, &ada, "add_memory", &arguments).await["id"], added["id"], "remembered already");

    let question = everything("Where in Lisbon?");
    for (tool, path, part) in
        [("search_memory", "/v1/memory/search", "hits"), ("get_context", "/v1/memory/context", "citations")]
    {
        // The vector may come between the two.
        eventually(&format!("{tool} gives the same"), async || {
            let given = called(&stage, &ada, tool, &question).await;
            assert_eq!(given[part][0]["id"], added["id"], "{given}");
            given == stage.app.post(path, &ada, &question).await.json::<Value>(200)
        })
        .await;
    }

    for title in ["One", "Two", "Three"] {
        stage.session(&ada, &json!({"title": title})).await;
    }
    let first = called(&stage, &ada, "list_sessions", &json!({"limit": 2})).await;
    assert_eq!(strings(&first["items"], "title"), ["Three", "Two"]);
    let next = json!({"limit": 2, "cursor": first["next_cursor"]});
    let last = called(&stage, &ada, "list_sessions", &next).await;
    assert_eq!((strings(&last["items"], "title"), &last["next_cursor"]), (vec!["One".to_owned()], &Value::Null));
    let listed: Value = stage.app.get("/v1/memory/sessions?limit=2", &ada).await.json(200);
    assert_eq!(listed["items"], first["items"]);
}

/// A request of a host that speaks 2026-07-28.
fn modern(stage: &Stage, who: &Actor, method: &str, params: &Value) -> RequestBuilder {
    let about = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = merged(params, &json!({"_meta": about}));
    let message = json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params});
    let request = stage.app.request(Method::POST, "/mcp").header("accept", BOTH).json(&message);
    let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    request.bearer_auth(stage.app.auth.token(who))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_everything_each_time_is_served_as_well() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let discovered: Value = Answer::to(modern(&stage, &ada, "server/discover", &json!({}))).await.json(200);
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")), "{discovered}");

    let listed: Value = Answer::to(modern(&stage, &ada, "tools/list", &json!({}))).await.json(200);
    let result = &listed["result"];
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("private")), "{result}");

    stage.remember(&ada, "Plays the cello.", &json!({})).await;
    let params = json!({"name": "search_memory", "arguments": everything("cello")});
    let call = modern(&stage, &ada, "tools/call", &params).header("mcp-name", "search_memory");
    let found: Value = Answer::to(call).await.json(200);
    assert_eq!(strings(&found["result"]["structuredContent"]["hits"], "text"), ["Plays the cello."]);

    // What stands in the headers is what is asked.
    let call = modern(&stage, &ada, "tools/call", &params).header("mcp-name", "add_memory");
    assert_eq!(Answer::to(call).await.json::<Value>(400)["error"]["code"], -32020);
    let unknown = modern(&stage, &ada, "prompts/list", &json!({}));
    assert_eq!(Answer::to(unknown).await.json::<Value>(404)["error"]["code"], -32601);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_arguments_are_named_to_the_model() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let here = json!({"organization": true});
    for (tool, arguments, field) in [
        ("search_memory", json!({"scope": here}), "query"),
        ("search_memory", json!({"query": "x", "scope": here, "top_k": 101}), "top_k"),
        ("search_memory", json!({"query": "x", "scope": {"organisation": true}}), "scope.organisation"),
        ("search_memory", json!({"query": "a\u{0}b", "scope": here}), "query"),
        ("get_context", json!({"query": "x", "scope": here, "token_budget": 32_001}), "token_budget"),
        ("add_memory", json!({"text": " "}), "text"),
        ("add_memory", json!({"text": "x", "infer": true}), "infer"),
        ("list_sessions", json!({"limit": 0}), "limit"),
        ("list_sessions", json!({"limit": 101}), "limit"),
        ("list_sessions", json!({"user": ""}), "user"),
        ("list_sessions", json!({"page": 2}), "page"),
    ] {
        let token = stage.app.auth.token(&ada);
        let error = called_with(&stage, &token, tool, &arguments).await.unwrap_err();
        assert_eq!((&error["code"], &error["errors"][0]["field"]), (&json!("validation_failed"), &json!(field)));
    }
    for tool in ["search_memory", "get_context"] {
        assert_eq!(refused(&stage, &ada, tool, &json!({"query": "x"})).await, "scope_required");
    }
    assert_eq!(refused(&stage, &ada, "list_sessions", &json!({"cursor": "made-up"})).await, "invalid_cursor");
    let nothing = json!({"text": "x", "supersedes": ["01890a5d-ac96-774b-bcce-b302099a8057"]});
    assert_eq!(refused(&stage, &ada, "add_memory", &nothing).await, "memory_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_it_is_for() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Admin);
    let with = |scope: Scope| stage.app.auth.token_with(&ada, |claims| claims.scope = [scope].into_iter().collect());
    let calls = [
        ("search_memory", everything("x"), Scope::MemoryRead),
        ("get_context", everything("x"), Scope::MemoryRead),
        ("list_sessions", json!({}), Scope::MemoryRead),
        ("add_memory", json!({"text": "x"}), Scope::MemoryWrite),
    ];
    for (tool, arguments, needed) in calls {
        for scope in [Scope::MemoryRead, Scope::MemoryWrite] {
            let done = called_with(&stage, &with(scope), tool, &arguments).await;
            match done {
                Ok(_) => assert_eq!(scope, needed, "{tool}"),
                Err(error) => {
                    assert_eq!(error["code"], "insufficient_scope", "{tool} with {scope}");
                    assert_eq!(error["detail"], format!("This needs the scope {needed}"));
                    assert_ne!(scope, needed);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_token() {
    let stage = Stage::start().await;
    let call = json!({"name": "search_memory", "arguments": everything("x")});
    for (method, params) in
        [("initialize", json!({})), ("server/discover", json!({})), ("tools/list", json!({})), ("tools/call", call)]
    {
        let answer = Answer::to(request(&stage, None, method, &params)).await;
        assert_eq!(answer.problem(401), "unauthenticated", "{method}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"brainops\""), "{method}");
        let answer = Answer::to(request(&stage, Some("made.up.token"), method, &params)).await;
        assert_eq!(answer.problem(401), "invalid_token", "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_remember_does_not_exist() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    stage.remember(&ada, "Earns a secret salary", &json!({})).await;
    stage.remember(&ada, "The office is in Porto", &json!({"user": null})).await;
    stage.session(&ada, &json!({"title": "About my salary"})).await;
    let boss = ada.colleague(Role::Owner);
    let stranger = Actor::new(Role::Owner);
    let namesake = ada.in_org(stranger.org, Role::Owner);
    let question = everything("secret salary office");
    for (who, reaches) in [
        (&ada, vec!["Earns a secret salary", "The office is in Porto"]),
        (&boss, vec!["The office is in Porto"]),
        (&stranger, vec![]),
        (&namesake, vec![]),
    ] {
        let mut found = strings(&called(&stage, who, "search_memory", &question).await["hits"], "text");
        found.sort();
        assert_eq!(found, reaches);
        let context = called(&stage, who, "get_context", &question).await;
        assert_eq!(context["citations"].as_array().unwrap().len(), reaches.len(), "{context}");
        let sessions = called(&stage, who, "list_sessions", &json!({})).await;
        assert_eq!(
            sessions["items"].as_array().unwrap().len(),
            usize::from(who.user == ada.user && who.org == ada.org)
        );
    }
    for (tool, arguments) in [
        ("search_memory", json!({"query": "salary", "scope": {"user": ada.user}})),
        ("get_context", json!({"query": "salary", "scope": {"user": ada.user}})),
        ("list_sessions", json!({"user": ada.user})),
        ("add_memory", json!({"text": "Owes the boss money", "user": ada.user})),
    ] {
        assert_eq!(refused(&stage, &boss, tool, &arguments).await, "not_yours", "{tool}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_is_said_to_be_none() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let token = stage.app.auth.token(&ada);
    for (method, params, code) in [
        ("tools/call", json!({"name": "delete_everything"}), -32602),
        ("resources/list", json!({}), -32601),
        ("prompts/get", json!({"name": "x"}), -32601),
        ("no/such", json!({}), -32601),
    ] {
        let answer: Value = Answer::to(request(&stage, Some(&token), method, &params)).await.json(200);
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
    }

    let plain = || stage.app.request(Method::POST, "/mcp").bearer_auth(&token);
    let typed = || plain().header("accept", BOTH).header("content-type", "application/json");
    let large = "x".repeat(1 << 20);
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": large}}).to_string();
    for (request, status, code) in [
        (typed().body("{"), 400, "malformed_json"),
        (typed().body(""), 400, "malformed_json"),
        (typed().body("[]"), 400, "bad_request"),
        (typed().body("{\"query\": \"x\"}"), 400, "bad_request"),
        (typed().body(large.clone()), 413, "payload_too_large"),
        (
            typed().body(reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(large)]))),
            413,
            "payload_too_large",
        ),
        (
            plain().header("accept", BOTH).body("{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}"),
            415,
            "unsupported_media_type",
        ),
        (plain().json(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})), 406, "not_acceptable"),
    ] {
        assert_eq!(Answer::to(request).await.problem(status), code);
    }
    assert_eq!(asked(&stage, &ada, "ping", &json!({})).await, json!({}));
}
