//! Routes of other vendors' protocols answer every error in that vendor's form, the framework's own errors included.
use std::time::Duration;

use actix_web::{HttpResponse, web};
use kit::http::{HttpOptions, codes};
use kit::{FieldError, Problem};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::http_support::{Served, Setup, client, problem, serve_with};

fn routes(config: &mut web::ServiceConfig) {
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/other"] {
        config.service(web::resource(path).route(web::post().to(echo)));
    }
    config
        .service(web::resource("/v1/models/{kind}").route(web::get().to(fails)))
        .service(web::resource("/v1/messages/{kind}").route(web::get().to(fails)));
}

/// The framework's own extractor, which refuses in plain text.
async fn echo(body: web::Json<Value>) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

async fn fails(kind: web::Path<String>) -> Result<HttpResponse, Problem> {
    match kind.as_str() {
        "busy" => Err(Problem::new(&codes::TOO_MANY_REQUESTS).retry_after(Duration::from_secs(7))),
        "invalid" => {
            let field = FieldError::new("messages[0].role", "invalid_value", "is not a role");
            Err(Problem::new(&codes::VALIDATION_FAILED).field(field))
        }
        "slow" => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok(HttpResponse::Ok().finish())
        }
        "own" => Ok(HttpResponse::BadRequest().json(json!({"error": {"message": "its own", "code": "model_odd"}}))),
        _ => panic!("a defect"),
    }
}

async fn server() -> Served {
    let options =
        HttpOptions { body_limit: 100, handler_timeout: Some(Duration::from_millis(200)), ..HttpOptions::default() };
    serve_with(Setup { options, ..Setup::default() }, routes).await
}

/// Status, `type` and `code` of an error in OpenAI's form, whose every member is checked.
async fn openai(request: RequestBuilder) -> (u16, String, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-request-id"));
    let body: Value = response.json().await.unwrap();
    let error = body["error"].as_object().unwrap();
    assert!(error["message"].is_string() && error.contains_key("param"), "{body}");
    assert_eq!((body.as_object().unwrap().len(), error.len()), (1, 4), "{body}");
    (status, error["type"].as_str().unwrap().to_owned(), error["code"].as_str().unwrap().to_owned())
}

/// Status and `type` of an error in Anthropic's form, whose every member is checked.
async fn anthropic(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["request-id"], id.as_str());
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!(id)), "{body}");
    assert!(body["error"]["message"].is_string());
    (status, body["error"]["type"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_error_of_openais_routes_is_in_its_form() {
    let server = server().await;
    let chat = || client().post(server.url("/v1/chat/completions"));
    let expect = |status, kind: &str, code: &str| (status, kind.to_owned(), code.to_owned());
    let invalid = "invalid_request_error";
    let get = |path: &str| client().get(server.url(path));
    assert_eq!(openai(get("/v1/chat/completions")).await, expect(405, invalid, "method_not_allowed"));
    assert_eq!(openai(get("/v1/chat/nothing")).await, expect(404, invalid, "not_found"));
    assert_eq!(openai(chat().body("{}")).await, expect(415, invalid, "unsupported_media_type"));
    let typed = || chat().header("content-type", "application/json");
    assert_eq!(openai(typed().body("{")).await, expect(400, invalid, "malformed_json"));
    assert_eq!(openai(typed().body("1".repeat(101))).await, expect(413, invalid, "payload_too_large"));
    assert_eq!(openai(get("/v1/models/invalid")).await, expect(422, invalid, "validation_failed"));
    assert_eq!(openai(get("/v1/models/busy")).await, expect(429, "rate_limit_error", "too_many_requests"));
    assert_eq!(openai(get("/v1/models/slow")).await, expect(504, "server_error", "timeout"));
    assert_eq!(openai(get("/v1/models/panic")).await, expect(500, "server_error", "internal_error"));
}

#[tokio::test]
async fn every_error_of_anthropics_routes_is_in_its_form() {
    let server = server().await;
    let get = |path: &str| client().get(server.url(path));
    let expect = |status, kind: &str| (status, kind.to_owned());
    let post = client().post(server.url("/v1/messages")).header("content-type", "application/json");
    assert_eq!(anthropic(post.body("1".repeat(101))).await, expect(413, "request_too_large"));
    assert_eq!(anthropic(get("/v1/messages")).await, expect(405, "invalid_request_error"));
    assert_eq!(anthropic(get("/v1/messages/a/b")).await, expect(404, "not_found_error"));
    assert_eq!(anthropic(get("/v1/messages/busy")).await, expect(429, "rate_limit_error"));
    assert_eq!(anthropic(get("/v1/messages/slow")).await, expect(504, "timeout_error"));
    assert_eq!(anthropic(get("/v1/messages/panic")).await, expect(500, "api_error"));
    // The same path has two forms: the client's protocol decides.
    let model = get("/v1/models/panic").header("anthropic-version", "2023-06-01");
    assert_eq!(anthropic(model).await, expect(500, "api_error"));
}

#[tokio::test]
async fn headers_of_an_error_stay_whatever_its_form() {
    let server = server().await;
    for path in ["/v1/models/busy", "/v1/messages/busy"] {
        let response = client().get(server.url(path)).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "7", "{path}");
    }
    let response = client().get(server.url("/v1/chat/completions")).send().await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
}

#[tokio::test]
async fn what_a_service_wrote_itself_passes_and_other_routes_keep_problem_documents() {
    let server = server().await;
    let own: Value = client().get(server.url("/v1/models/own")).send().await.unwrap().json().await.unwrap();
    assert_eq!(own["error"]["code"], "model_odd");
    let other = client().get(server.url("/v1/other")).header("anthropic-version", "2023-06-01").send().await.unwrap();
    assert!(!other.headers().contains_key("request-id"));
    assert_eq!(problem(other).await["code"], "method_not_allowed");
}
