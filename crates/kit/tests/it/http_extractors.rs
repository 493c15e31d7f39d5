//! The strict extractors over real HTTP.
use actix_web::{HttpRequest, HttpResponse, web};
use contracts::OrgId;
use kit::Problem;
use kit::http::{IdempotencyKey, IfMatch, Page, Patch, PathId, ValidJson, ValidQuery, body_hash, codes, etag};
use serde::Deserialize;
use serde_json::{Value, json};
use validator::Validate;

use crate::http_support::{Served, client, problem, serve};

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct NewThing {
    #[validate(length(min = 1, max = 10))]
    name: String,
    #[validate(range(min = 1, max = 9))]
    count: u8,
    #[serde(default)]
    #[validate(length(max = 3))]
    tags: Vec<String>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ChangeThing {
    #[serde(default)]
    #[validate(length(min = 1, max = 10))]
    note: Patch<String>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    archived: bool,
}

async fn create(req: HttpRequest, key: IdempotencyKey, body: ValidJson<NewThing>) -> HttpResponse {
    let hash = key.get().map(|_| body_hash(&req)[..4].to_vec());
    HttpResponse::Created().json(json!({"name": body.name, "count": body.count, "tags": body.tags, "hash": hash}))
}

async fn change(
    PathId(_): PathId<OrgId>,
    wanted: IfMatch,
    ValidJson(body): ValidJson<ChangeThing>,
) -> Result<HttpResponse, Problem> {
    wanted
        .version()
        .check(3)
        .map_err(|mismatch| Problem::new(&codes::PRECONDITION_FAILED).detail(mismatch.to_string()))?;
    let state = match body.note {
        Patch::Absent => "absent".to_owned(),
        Patch::Null => "null".to_owned(),
        Patch::Value(note) => note,
    };
    Ok(HttpResponse::Ok().insert_header(etag(4)).json(state))
}

async fn filtered(ValidQuery(filter): ValidQuery<Filter>) -> HttpResponse {
    HttpResponse::Ok().json(filter.archived)
}

async fn list(page: Page) -> HttpResponse {
    HttpResponse::Ok().json(json!([page.limit.get(), page.cursor]))
}

async fn pair(PathId((org, other)): PathId<(OrgId, OrgId)>) -> HttpResponse {
    HttpResponse::Ok().json(json!([org, other]))
}

async fn server() -> Served {
    serve(|config| {
        config
            .service(web::resource("/v1/things").route(web::post().to(create)).route(web::get().to(list)))
            .service(web::resource("/v1/things/filtered").route(web::get().to(filtered)))
            .service(web::resource("/v1/things/{id}").route(web::patch().to(change)))
            .service(web::resource("/v1/things/{id}/of/{other}").route(web::get().to(pair)));
    })
    .await
}

/// Status, code, and the fields at fault.
async fn refused(server: &Served, content_type: &str, body: impl Into<reqwest::Body>) -> (u16, String, Vec<String>) {
    let request = client().post(server.url("/v1/things")).header("content-type", content_type).body(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let problem = problem(response).await;
    let fields = problem["errors"].as_array().cloned().unwrap_or_default();
    let field = |error: &Value| format!("{}:{}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap());
    (status, problem["code"].as_str().unwrap().to_owned(), fields.iter().map(field).collect())
}

fn is(refusal: &(u16, String, Vec<String>), status: u16, code: &str, fields: &[&str]) {
    assert_eq!((refusal.0, refusal.1.as_str()), (status, code), "{refusal:?}");
    assert_eq!(refusal.2, fields);
}

#[tokio::test]
async fn a_good_body_is_taken() {
    let server = server().await;
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        let request = client().post(server.url("/v1/things")).header("content-type", content_type);
        let response = request.body(r#"{"name":"ä","count":3}"#).send().await.unwrap();
        assert_eq!(response.status(), 201, "{content_type}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer, json!({"name": "ä", "count": 3, "tags": [], "hash": null}));
    }
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let server = server().await;
    let body = r#"{"name":"","count":10,"tags":["a","b","c","d"]}"#;
    is(
        &refused(&server, "application/json", body).await,
        422,
        "validation_failed",
        &["count:range", "name:length", "tags:length"],
    );
    let body = r#"{"name":7,"role":"owner","org_id":"x","tags":["a",1]}"#;
    let mut refusal = refused(&server, "application/json", body).await;
    refusal.2.sort();
    let fields =
        ["count:missing", "name:invalid_type", "org_id:unknown_field", "role:unknown_field", "tags[1]:invalid_type"];
    is(&refusal, 422, "validation_failed", &fields);
}

#[tokio::test]
async fn bad_bodies_and_their_answers() {
    let server = server().await;
    let json = "application/json";
    is(&refused(&server, json, "{\"name\":").await, 400, "malformed_json", &[]);
    is(&refused(&server, json, "").await, 400, "malformed_json", &[]);
    is(&refused(&server, json, "{} {}").await, 400, "malformed_json", &[]);
    is(&refused(&server, json, "[\"a\", 1]").await, 422, "validation_failed", &[":invalid_type"]);
    is(&refused(&server, json, r#"{"name":"a\u0000","count":1}"#).await, 422, "validation_failed", &["name:nul"]);
    is(
        &refused(&server, json, b"{\"name\":\"\xff\",\"count\":1}".to_vec()).await,
        422,
        "validation_failed",
        &[":invalid_utf8"],
    );
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    is(&refused(&server, json, deep).await, 422, "validation_failed", &[":too_deep"]);
    is(&refused(&server, json, "[".repeat(100_000)).await, 422, "validation_failed", &[":too_deep"]);
    is(&refused(&server, json, "x".repeat((1 << 20) + 1)).await, 413, "payload_too_large", &[]);
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "json", ""]
    {
        is(&refused(&server, content_type, "{}").await, 415, "unsupported_media_type", &[]);
    }
}

#[tokio::test]
async fn compressed_bodies_are_not_taken() {
    let server = server().await;
    for coding in ["gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP"] {
        let request = client().post(server.url("/v1/things")).header("content-encoding", coding);
        let response = request.json(&json!({"name": "a", "count": 1})).send().await.unwrap();
        assert_eq!(response.status(), 415, "{coding}");
        assert_eq!(problem(response).await["code"], "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_malformed_id_in_the_path_is_404() {
    let server = server().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let patch = async |path: &str| {
        let request = client().patch(server.url(path)).header("content-type", "application/merge-patch+json");
        request.body("{}").send().await.unwrap().status().as_u16()
    };
    assert_eq!(patch(&format!("/v1/things/{id}")).await, 200);
    for bad in ["1", "x", "01890a5d-ac96-774b-bcce-b302099a805", "01890a5d-ac96-774b-bcce-b302099a8057%00", "..%2f"] {
        assert_eq!(patch(&format!("/v1/things/{bad}")).await, 404, "{bad}");
    }
    let get = async |path: String| client().get(server.url(&path)).send().await.unwrap();
    assert_eq!(get(format!("/v1/things/{id}/of/{id}")).await.json::<Value>().await.unwrap(), json!([id, id]));
    assert_eq!(get(format!("/v1/things/{id}/of/x")).await.status(), 404);
}

#[tokio::test]
async fn merge_patch_and_if_match() {
    let server = server().await;
    let patch = async |tag: Option<&str>, body: Value| {
        let mut request = client().patch(server.url("/v1/things/01890a5d-ac96-774b-bcce-b302099a8057")).json(&body);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        request.send().await.unwrap()
    };
    for (body, state) in [(json!({}), "absent"), (json!({"note": null}), "null"), (json!({"note": "new"}), "new")] {
        let response = patch(Some("\"3\""), body).await;
        assert_eq!(response.headers()["etag"], "\"4\"");
        assert_eq!(response.json::<String>().await.unwrap(), state);
    }
    assert_eq!(patch(None, json!({})).await.status(), 200);
    assert_eq!(patch(Some("*"), json!({})).await.status(), 200);
    assert_eq!(problem(patch(Some("\"2\""), json!({})).await).await["code"], "precondition_failed");
    assert_eq!(patch(Some("3"), json!({})).await.status(), 400);
    assert_eq!(patch(None, json!({"note": ""})).await.status(), 422);
    assert_eq!(patch(None, json!({"version": 9})).await.status(), 422);
}

#[tokio::test]
async fn unknown_and_bad_parameters_are_400() {
    let server = server().await;
    let get = async |path: &str| client().get(server.url(path)).send().await.unwrap();
    assert_eq!(get("/v1/things").await.json::<Value>().await.unwrap(), json!([25, null]));
    assert_eq!(get("/v1/things?limit=100&cursor=abc").await.json::<Value>().await.unwrap(), json!([100, "abc"]));
    assert!(get("/v1/things/filtered?archived=true").await.json::<bool>().await.unwrap());
    for path in ["/v1/things?limit=0", "/v1/things?limit=101", "/v1/things?offset=1", "/v1/things/filtered?archived=x"]
    {
        let response = get(path).await;
        assert_eq!(response.status(), 400, "{path}");
        let problem = problem(response).await;
        assert_eq!(problem["code"], "invalid_parameter");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_idempotency_key_brings_the_hash_of_the_body() {
    let server = server().await;
    let post = async |key: &str, body: &'static str| {
        let request = client().post(server.url("/v1/things")).header("idempotency-key", key);
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    };
    let hash = async |body| post("key-1", body).await.json::<Value>().await.unwrap()["hash"].clone();
    let (one, same, other) = (
        hash(r#"{"name":"a","count":1}"#).await,
        hash(r#"{"name":"a","count":1}"#).await,
        hash(r#"{"name":"a","count":2}"#).await,
    );
    assert!(one.is_array() && one == same && one != other);
    let refused = post(&"k".repeat(256), r#"{"name":"a","count":1}"#).await;
    assert_eq!(problem(refused).await["code"], "invalid_idempotency_key");
}
