//! Many callers at once, and callers that leave.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future::join_all};
use serde_json::{Value, json};

use crate::server::{Server, chat};

/// A stream that goes on until its context is full.
fn endless(prompt: &str) -> Value {
    json!({"model": "local-chat", "prompt": prompt, "temperature": 0, "max_tokens": 100_000, "stream": true, "logit_bias": {}})
}

const ACTIVE: &str = "inference_active_sequences{model=\"local-chat\",service=\"inference\"}";
const ABANDONED: &str = "inference_completions_total{model=\"local-chat\",outcome=\"abandoned\",service=\"inference\"}";

#[tokio::test]
async fn answers_do_not_depend_on_who_else_is_being_answered() {
    let server = Server::start(chat(4, 32, 512)).await;
    // Each with one way to go on that is far ahead of the others: sums are in another order in a batch, which decides a tie.
    let prompts = ["1, 2, 3, 4,", "The capital of France is", "Monday, Tuesday, Wednesday,", "a b c d e f", "2 4 6 8"];
    let complete = async |prompt: &str| {
        let body = json!({"model": "local-chat", "prompt": prompt, "temperature": 0, "max_tokens": 12});
        let (status, body) = server.ask("/v1/completions", &body).await;
        assert_eq!(status, 200, "{body}");
        body["choices"][0]["text"].as_str().unwrap().to_owned()
    };
    let together = join_all(prompts.iter().map(|prompt| complete(prompt))).await;
    for (prompt, expected) in prompts.iter().zip(together) {
        assert_eq!(complete(prompt).await, expected, "{prompt}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place_at_once() {
    let server = Server::start(chat(1, 0, 4096)).await;
    let mut stream = server.post("/v1/completions", &endless("1, 2, 3, 4,")).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    // The only place is taken and nobody may wait.
    let refused = server.post("/v1/completions", &json!({"model": "local-chat", "prompt": "a"})).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "model_busy");
    assert!((server.metric(ACTIVE).await - 1.0).abs() < f64::EPSILON);

    drop(stream);
    let left = Instant::now();
    let body = json!({"model": "local-chat", "prompt": "1, 2, 3, 4,", "max_tokens": 1});
    while server.post("/v1/completions", &body).await.status() == 503 {
        assert!(left.elapsed() < Duration::from_secs(5), "the place is still taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!((server.metric(ABANDONED).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn those_who_wait_are_answered_in_turn_and_those_who_left_are_not() {
    let server = Server::start(chat(1, 2, 1024)).await;
    let mut first = server.post("/v1/completions", &endless("1, 2, 3, 4,")).await.bytes_stream();
    first.next().await.unwrap().unwrap();
    let short = json!({"model": "local-chat", "prompt": "1, 2, 3, 4,", "max_tokens": 2});
    let waiting = server.post("/v1/completions", &short);
    tokio::pin!(waiting);
    // Polled once the request is on its way; it cannot be answered before the first one ends.
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut waiting).await.is_err());
    let mut impatient = Box::pin(server.post("/v1/completions", &short));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut impatient).await.is_err());
    assert_eq!(server.post("/v1/completions", &short).await.status(), 503, "one works and two wait");
    drop(impatient);
    drop(first);
    assert_eq!(waiting.await.status(), 200);
    // Both that left were noticed, and nothing is held any more.
    let idle = async {
        loop {
            if server.metric(ACTIVE).await == 0.0 && server.metric(ABANDONED).await > 1.0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), idle).await.unwrap();
}

#[tokio::test]
async fn a_long_prompt_does_not_stall_those_who_write() {
    let server = Server::start(chat(2, 4, 4096)).await;
    let mut stream = server.post("/v1/completions", &endless("1, 2, 3, 4,")).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    let long = json!({"model": "local-chat", "prompt": "one two three four ".repeat(800), "max_tokens": 1});
    let reading = server.post("/v1/completions", &long);
    tokio::pin!(reading);
    let (begun, mut pieces, mut pause, mut last) = (Instant::now(), 0, Duration::ZERO, Instant::now());
    let answer = loop {
        tokio::select! {
            biased;
            piece = stream.next() => {
                piece.unwrap().unwrap();
                pieces += 1;
                pause = pause.max(last.elapsed());
                last = Instant::now();
            }
            answer = &mut reading => break answer,
        }
    };
    assert_eq!(answer.status(), 200);
    // The prompt's 3200 tokens take tens of batches; each gave the stream a token.
    assert!(pieces > 30, "only {pieces} pieces in {:?}", begun.elapsed());
    assert!(pause < begun.elapsed() / 4, "a pause of {pause:?} of {:?}", begun.elapsed());
}
