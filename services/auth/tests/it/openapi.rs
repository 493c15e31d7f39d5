//! The contract: the document, the error codes, and a page for each code.

use auth::Auth;
use kit::Service as _;
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(&Auth::openapi().to_json().unwrap()).unwrap()
}

#[test]
fn the_document_is_as_its_snapshot_says() {
    insta::assert_json_snapshot!(document());
}

#[test]
fn every_operation_has_a_summary_and_an_id_of_its_own() {
    let mut ids = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_field_has_a_description() {
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let described = property["description"].is_string() || property["$ref"].is_string();
            assert!(described, "{name}.{field}: {property}");
        }
    }
}

/// Requests put together from the examples of their fields are good requests.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_valid() {
    let app = crate::support::start().await;
    let example = |name: &str| -> Value {
        let document = document();
        let fields = document["components"]["schemas"][name]["properties"].as_object().unwrap().clone();
        fields
            .into_iter()
            .map(|(field, schema)| (field, schema["example"].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let post =
        async |path: &str, token: Option<&str>, body: &Value| crate::support::post(&app, path, token, body).await;
    let tokens: Value = post("/v1/auth/register", None, &example("RegisterRequest")).await.json(201);
    assert_eq!(post("/v1/auth/login", None, &example("LoginRequest")).await.status, 200);
    let token = tokens["access_token"].as_str();
    assert_eq!(post("/v1/auth/password/change", token, &example("PasswordChangeRequest")).await.status, 204);
    let key: Value = post("/v1/auth/api-keys", token, &example("ApiKeyCreate")).await.json(201);
    let path = format!("/v1/auth/api-keys/{}", key["id"].as_str().unwrap());
    let patched = app.send(reqwest::Method::PATCH, &path, token, Some(&example("ApiKeyPatch"))).await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(post(&format!("{path}/rotate"), token, &example("ApiKeyRotate")).await.status, 201);
    let service = crate::support::service_token(&app, "gateway", "auth").await;
    let exchange = post("/internal/api-keys/exchange", Some(&service), &example("ExchangeRequest")).await;
    assert_eq!(exchange.problem(401), "invalid_api_key", "not a key of anybody");
    let refresh = post("/v1/auth/token/refresh", None, &example("RefreshRequest")).await;
    assert_eq!(refresh.problem(401), "invalid_refresh_token", "well-formed, and of course unknown");
    assert_eq!(example("ServiceTokenRequest"), json!({"grant_type": "client_credentials", "audience": "users"}));
}

#[test]
fn error_codes_are_as_their_snapshot_says_and_have_a_page_each() {
    let codes = Auth::error_codes();
    let table: Vec<_> = codes.iter().map(|code| format!("{} {} {}", code.status, code.code, code.title)).collect();
    insta::assert_json_snapshot!(table);
    for code in codes {
        let page = format!("{}/../../docs/errors/{}.md", env!("CARGO_MANIFEST_DIR"), code.code);
        let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.starts_with(&format!("# {}\n", code.code)), "{page}");
        assert!(text.contains(&format!("Status {}.", code.status)), "{page}");
    }
}

/// Every code that an operation names exists.
#[test]
fn the_document_names_only_codes_that_exist() {
    let known: Vec<_> = Auth::error_codes().iter().map(|code| code.code).collect();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (_, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                if !status.starts_with('2') {
                    let text = response["description"].as_str().unwrap();
                    for code in text.split(", ").map(|code| code.trim_matches('`')) {
                        assert!(known.contains(&code), "{path} {status}: {code}");
                    }
                }
            }
        }
    }
}
