//! Requests that are refused: each in OpenAI's form, with the field and a code that says why. None of this needs a model.

use serde_json::{Value, json};

use crate::server::Server;

/// `(status, type, code, param)` of an error in OpenAI's form.
pub fn summary((status, body): (u16, Value)) -> (u16, String, String, String) {
    let error = body["error"].as_object().unwrap_or_else(|| panic!("not OpenAI's form: {body}"));
    let mut members: Vec<_> = error.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["code", "message", "param", "type"]);
    assert!(!error["message"].as_str().unwrap().is_empty());
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (status, text("type"), text("code"), text("param"))
}

fn chat(fields: &Value) -> Value {
    let mut body = json!({"model": "local-chat", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn every_mistake_is_named() {
    let server = Server::begin(Vec::new()).await.unwrap();
    let refused = async |path: &str, body: &Value| summary(server.ask(path, body).await);
    for (fields, code, param) in [
        (json!({"max_tokens": -1}), "invalid_value", "max_tokens"),
        (json!({"max_completion_tokens": 0}), "invalid_value", "max_completion_tokens"),
        (json!({"max_tokens": 1e30}), "invalid_value", "max_tokens"),
        (json!({"max_tokens": "many"}), "invalid_value", "max_tokens"),
        (json!({"n": 5}), "invalid_value", "n"),
        (json!({"temperature": 3}), "invalid_value", "temperature"),
        (json!({"stop": ["a", 1]}), "invalid_value", "stop"),
        (json!({"messages": []}), "invalid_value", "messages"),
        (json!({"messages": "hi"}), "invalid_value", "messages"),
        (json!({"messages": [{"role": "king", "content": "hi"}]}), "invalid_value", "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "invalid_value", "messages[0].content"),
        (
            json!({"messages": [{"role": "tool", "content": "4", "tool_call_id": "1"}]}),
            "unsupported_parameter",
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}),
            "unsupported_parameter",
            "messages[0].content[0].type",
        ),
        (json!({"messages": [{"role": "user", "content": "a\u{0}b"}]}), "invalid_value", "messages[0].content"),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), "unsupported_parameter", "tools"),
        (json!({"logprobs": true}), "unsupported_parameter", "logprobs"),
        (json!({"logit_bias": {"5": 1}}), "unsupported_parameter", "logit_bias"),
        (json!({"response_format": {"type": "yaml"}}), "invalid_value", "response_format.type"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "oneOf": []}}}}),
            "unsupported_schema",
            "response_format.json_schema.schema.oneOf",
        ),
    ] {
        let expected = (400, "invalid_request_error".to_owned(), code.to_owned(), param.to_owned());
        assert_eq!(refused("/v1/chat/completions", &chat(&fields)).await, expected, "{fields}");
    }
    for (path, body, param) in [
        ("/v1/completions", json!({"model": "m", "prompt": [1, 2]}), "prompt"),
        ("/v1/completions", json!({"model": "m", "prompt": ["a", "b"]}), "prompt"),
        ("/v1/completions", json!({"prompt": "a"}), "model"),
        ("/v1/embeddings", json!({"model": "m", "input": ""}), "input"),
        ("/v1/embeddings", json!({"model": "m", "input": []}), "input"),
        ("/v1/embeddings", json!({"model": "m", "input": ["a", ""]}), "input[1]"),
        ("/v1/embeddings", json!({"model": "m", "input": [[1, 2]]}), "input[0]"),
        ("/v1/embeddings", json!({"model": "m", "input": vec!["a"; 2049]}), "input"),
        ("/v1/embeddings", json!({"model": "m", "input": "a", "encoding_format": "hex"}), "encoding_format"),
    ] {
        let expected = (400, "invalid_request_error".to_owned(), "invalid_value".to_owned(), param.to_owned());
        assert_eq!(refused(path, &body).await, expected, "{body}");
    }
}

#[tokio::test]
async fn fields_that_ask_for_nothing_are_no_mistake() {
    let server = Server::begin(Vec::new()).await.unwrap();
    let fields = json!({
        "tools": [], "tool_choice": "auto", "logprobs": false, "top_logprobs": 0, "logit_bias": null, "modalities": ["text"],
        "user": "u-1", "metadata": {"a": "b"}, "store": true, "service_tier": "auto", "a_field_of_the_future": {"x": [1]},
        "stream_options": null, "stop": null, "n": 1,
    });
    // It got as far as looking for the model.
    let answer = summary(server.ask("/v1/chat/completions", &chat(&fields)).await);
    assert_eq!(answer, (404, "invalid_request_error".into(), "model_not_found".into(), "model".into()));
}

#[tokio::test]
async fn the_framework_speaks_the_same_form() {
    let server = Server::begin(Vec::new()).await.unwrap();
    let url = |path: &str| format!("{}{path}", server.url);
    let send = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        summary((status, answer.json().await.unwrap()))
    };
    let (status, _, code, _) = send(server.client.get(url("/v1/chat/completions"))).await;
    assert_eq!((status, code.as_str()), (405, "method_not_allowed"));
    let (status, _, code, _) = send(server.client.get(url("/v1/models/none"))).await;
    assert_eq!((status, code.as_str()), (404, "model_not_found"));
    let json = "application/json";
    let large = server.client.post(url("/v1/chat/completions")).header("content-type", json).body(vec![b' '; 2 << 20]);
    let (status, _, code, _) = send(large).await;
    assert_eq!((status, code.as_str()), (413, "payload_too_large"));
    let broken = server.client.post(url("/v1/completions")).header("content-type", json).body("{\"model\":");
    let (status, _, code, _) = send(broken).await;
    assert_eq!((status, code.as_str()), (400, "malformed_json"));
    let deep = server.client.post(url("/v1/completions")).header("content-type", json).body("[".repeat(1000));
    assert_eq!(send(deep).await.0, 400);
    let form = server.client.post(url("/v1/embeddings")).header("content-type", "text/plain").body("hi");
    assert_eq!(send(form).await.0, 415);
}

#[tokio::test]
async fn without_models_there_is_nothing_to_list() {
    let server = Server::start(Vec::new()).await;
    let answer = server.client.get(format!("{}/v1/models", server.url)).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"object": "list", "data": []}));
    let embedding = server.ask("/v1/embeddings", &json!({"model": "local-embedding", "input": "a"})).await;
    assert_eq!(summary(embedding).2, "model_not_found");
}
