//! What is too large.

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Method};
use testkit::Answer;

use crate::support::{App, Backend, speak, status_of};

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_even_begun() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_MAX_BODY_BYTES", "1000").start().await;
    let answer = Answer::to(app.request(Method::POST, "/v1/users/me").body(vec![b'a'; 1001])).await;
    assert_eq!(answer.problem(413), "payload_too_large");
    assert!(backend.seen().is_empty());
    let answer = Answer::to(app.request(Method::POST, "/v1/users/me").body(vec![b'a'; 1000])).await;
    assert_eq!(answer.json::<serde_json::Value>(200)["body_len"], 1000);
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_cut_off() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_MAX_BODY_BYTES", "100000").start().await;
    let pieces = stream::iter((0..200).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 1000]))));
    let answer = Answer::to(app.request(Method::POST, "/v1/users/drain").body(Body::wrap_stream(pieces))).await;
    assert_eq!(answer.problem(413), "payload_too_large");
    assert!(backend.seen().iter().all(|seen| seen.body_len == 0), "no service took the beginning for the whole");
}

#[tokio::test]
async fn a_url_can_be_too_long() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = app.get(&format!("/v1/users/me?q={}", "a".repeat(9000))).await;
    assert_eq!(answer.problem(414), "uri_too_long");
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn headers_can_be_too_large() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = Answer::to(app.request(Method::GET, "/v1/users/me").header("x-large", "a".repeat(17_000))).await;
    assert_eq!(answer.problem(431), "header_fields_too_large");
    // More than the server reads at all, and more headers than it counts.
    let endless = format!("GET /v1/users/me HTTP/1.1\r\nHost: x\r\nX: {}", "a".repeat(200_000));
    let answer = speak(app.addr, endless.as_bytes()).await;
    assert!(matches!(status_of(&answer), 400 | 431), "{answer}");
    let many = format!("GET /v1/users/me HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: a\r\n".repeat(500));
    let answer = speak(app.addr, many.as_bytes()).await;
    assert!(matches!(status_of(&answer), 400 | 431), "{answer}");
    assert!(backend.seen().is_empty());
}
