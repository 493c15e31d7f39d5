//! Starting, health, and who may come in.

use serde_json::{Value, json};

use crate::server::{Server, chat};

async fn fails(settings: Vec<(&'static str, String)>) -> String {
    match Server::begin(settings).await {
        Ok(_) => panic!("it starts"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn what_is_missing_is_named_at_the_start() {
    let missing = |name: &'static str| vec![(name, "/nowhere/model".to_owned())];
    let error = fails(missing("BRAINOPS_INFERENCE_CHAT_MODEL")).await;
    assert!(error.contains("BRAINOPS_INFERENCE_CHAT_MODEL: /nowhere/model"), "{error}");
    assert!(error.contains("scripts/fetch-models.sh"), "{error}");
    let error = fails(missing("BRAINOPS_INFERENCE_EMBEDDING_MODEL")).await;
    assert!(error.contains("BRAINOPS_INFERENCE_EMBEDDING_MODEL: /nowhere/model/model.safetensors"), "{error}");
}

#[tokio::test]
async fn settings_that_do_not_fit_stop_the_start() {
    for (name, value) in [
        ("BRAINOPS_INFERENCE_CONTEXT", "10"),
        ("BRAINOPS_INFERENCE_PARALLEL", "0"),
        ("BRAINOPS_INFERENCE_PARALLEL", "65"),
        ("BRAINOPS_INFERENCE_THREADS", "0"),
        ("BRAINOPS_INFERENCE_API_KEY", "short"),
    ] {
        let error = fails(vec![(name, value.to_owned())]).await;
        assert!(error.contains(name), "{error}");
    }
    // Others can reach this address, so a key must keep them out.
    let error = fails(vec![("BRAINOPS_HTTP_ADDR", "0.0.0.0:0".to_owned())]).await;
    assert!(error.contains("BRAINOPS_INFERENCE_API_KEY"), "{error}");
}

#[tokio::test]
async fn a_broken_file_is_told_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.gguf");
    std::fs::write(&path, b"GGUF and then nothing of use").unwrap();
    let settings = vec![("BRAINOPS_INFERENCE_CHAT_MODEL", path.display().to_string())];
    let server = Server::begin(settings).await.unwrap();
    let body = json!({"model": "local-chat", "messages": [{"role": "user", "content": "hi"}]});
    let (status, code) = loop {
        let (status, body) = server.ask("/v1/chat/completions", &body).await;
        if body["error"]["code"] != "model_loading" {
            break (status, body["error"]["code"].clone());
        }
    };
    assert_eq!((status, code), (503, json!("model_unavailable")));
    let health = server.client.get(format!("{}/readyz", server.private_url)).send().await.unwrap();
    assert_eq!(health.status(), 503);
    let report: Value = health.json().await.unwrap();
    assert_eq!(report["checks"][0]["name"], "chat model");
    assert!(!report.to_string().contains("broken.gguf"), "a path is for the log");
}

#[tokio::test]
async fn with_a_key_nobody_comes_in_without_it() {
    let key = "a-key-of-some-length";
    let server = Server::begin(vec![("BRAINOPS_INFERENCE_API_KEY", key.to_owned())]).await.unwrap();
    let models = |authorization: Option<&str>| {
        let request = server.client.get(format!("{}/v1/models", server.url));
        match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    };
    for wrong in
        [None, Some("Bearer "), Some("Bearer a-key-of-some-lengt"), Some("Basic a-key-of-some-length"), Some(key)]
    {
        let answer = models(wrong).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{wrong:?}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["type"], "authentication_error");
        assert_eq!(body["error"]["code"], "invalid_api_key");
    }
    for right in [format!("Bearer {key}"), format!("bearer {key}")] {
        assert_eq!(models(Some(&right)).send().await.unwrap().status(), 200);
    }
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] {
        assert_eq!(server.post(path, &json!({})).await.status(), 401, "{path}: before the body is looked at");
    }
}

#[tokio::test]
async fn it_starts_at_once_and_ends_in_good_order_in_the_middle_of_loading() {
    let begun = std::time::Instant::now();
    let mut server = Server::begin(chat(1, 0, 512)).await.unwrap();
    assert!(begun.elapsed().as_millis() < 500, "nobody waits for a model");
    let body = json!({"model": "local-chat", "messages": [{"role": "user", "content": "hi"}]});
    let answer = server.post("/v1/chat/completions", &body).await;
    if answer.status() == 503 {
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "model_loading");
    }
    assert!(server.started.take().unwrap().stop().await, "a graceful end");
}
