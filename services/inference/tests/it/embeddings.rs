//! Vectors: they agree with the published ones, however they are asked for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::server::{Server, embedding};

const HAPPY: [&str; 4] =
    ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"];

async fn embed(server: &Server, body: Value) -> Value {
    let (status, body) = server.ask("/v1/embeddings", &body).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn vectors(body: &Value) -> Vec<Vec<f32>> {
    let numbers = |item: &Value| serde_json::from_value(item["embedding"].clone()).unwrap();
    body["data"].as_array().unwrap().iter().map(numbers).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    // Both have length 1.
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn they_are_those_of_the_reference_in_every_form() {
    let server = Server::start(embedding()).await;
    let body = embed(&server, json!({"model": "local-embedding", "input": HAPPY})).await;
    assert_eq!((body["object"].as_str(), body["model"].as_str()), (Some("list"), Some("local-embedding")));
    // [CLS] and [SEP] count: 7 + 7 + 8 + 7.
    assert_eq!(body["usage"], json!({"prompt_tokens": 29, "total_tokens": 29}));
    let batch = vectors(&body);
    for (index, vector) in batch.iter().enumerate() {
        assert_eq!(body["data"][index]["index"], index);
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-5, "length 1");
    }
    // The scores on the model's page: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
    for (other, expected) in [(1, 0.6946), (2, 0.9429), (3, 0.2569)] {
        let score = cosine(&batch[0], &batch[other]);
        assert!((score - expected).abs() < 1e-3, "{}: {score}, not {expected}", HAPPY[other]);
    }

    // Alone in another process's batch, among longer texts, or from the cache: the same.
    let fresh = Server::start(embedding()).await;
    for (text, expected) in HAPPY.iter().zip(&batch) {
        let long = "a much longer text that makes the batch wide and the short text mostly padding ".repeat(5);
        let mixed = vectors(&embed(&fresh, json!({"model": "local-embedding", "input": [long, text]})).await);
        let alone = vectors(&embed(&server, json!({"model": "local-embedding", "input": text})).await);
        assert_eq!(&alone[0], expected, "remembered");
        for (a, b) in mixed[1].iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    let encoded = embed(
        &server,
        json!({"model": "local-embedding", "input": HAPPY[0], "encoding_format": "base64", "dimensions": 384}),
    )
    .await;
    let bytes = STANDARD.decode(encoded["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(decoded, batch[0]);

    let (status, refused) =
        server.ask("/v1/embeddings", &json!({"model": "local-embedding", "input": "a", "dimensions": 256})).await;
    assert_eq!((status, refused["error"]["param"].as_str()), (400, Some("dimensions")));
}

#[tokio::test]
async fn what_is_cut_is_told_and_what_repeats_is_computed_once() {
    let server = Server::start(embedding()).await;
    // One token a word, and the two ends: 302 tokens, of which 46 are too many.
    let long = "dog ".repeat(300);
    let body = json!({"model": "local-embedding", "input": [long, "short", "short", "dog ".repeat(254)]});
    let answer = server.post("/v1/embeddings", &body).await;
    assert_eq!(answer.headers()["x-brainops-truncated-inputs"], "1");
    assert_eq!(answer.headers()["x-brainops-truncated-tokens"], "46");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["usage"]["total_tokens"], 256 + 3 + 3 + 256);
    let vectors = vectors(&body);
    assert_eq!(vectors[1], vectors[2]);
    for (a, b) in vectors[0].iter().zip(&vectors[3]) {
        assert!((a - b).abs() < 1e-5, "what is past the limit makes no difference");
    }
    let misses = "inference_embedding_cache_total{model=\"local-embedding\",outcome=\"miss\",service=\"inference\"}";
    assert!((server.metric(misses).await - 3.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn many_callers_at_once_get_their_own_and_a_full_queue_says_so() {
    let mut settings = embedding();
    settings.push(("BRAINOPS_INFERENCE_EMBEDDING_QUEUE", "64".into()));
    let server = Server::start(settings).await;
    let ask = async |caller: usize| {
        let texts: Vec<String> = (0..6).map(|n| format!("text {n} of caller {caller}")).collect();
        let body = embed(&server, json!({"model": "local-embedding", "input": texts})).await;
        (caller, vectors(&body))
    };
    let together = futures_util::future::join_all((0..8).map(ask)).await;
    for (caller, found) in together {
        let text = format!("text 3 of caller {caller}");
        let alone = vectors(&embed(&server, json!({"model": "local-embedding", "input": text})).await);
        assert_eq!(alone[0], found[3]);
    }

    let large = |seed: usize| {
        let texts: Vec<String> = (0..200).map(|n| format!("{seed} {n} {}", "word ".repeat(50))).collect();
        json!({"model": "local-embedding", "input": texts})
    };
    let (a, b) = (large(1), large(2));
    let (first, second) = tokio::join!(server.post("/v1/embeddings", &a), server.post("/v1/embeddings", &b));
    let mut answers = [first, second];
    answers.sort_by_key(reqwest::Response::status);
    let statuses = answers.each_ref().map(|answer| answer.status().as_u16());
    assert_eq!(statuses, [200, 503], "one fits in, however large; not two");
    assert_eq!(answers[1].headers()["retry-after"], "1");
}
