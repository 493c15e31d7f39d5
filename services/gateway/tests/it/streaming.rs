//! Nothing waits in the gateway for the rest of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Method};
use testkit::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Backend};

#[tokio::test]
async fn the_first_byte_of_an_upload_arrives_before_the_last_is_sent() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let pieces = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receiver))
    });
    let request = app.request(Method::POST, "/v1/users/drain").body(Body::wrap_stream(pieces));
    let answer = kit::tasks::spawn("test.upload", async { Answer::to(request).await });
    sender.send(Bytes::from_static(b"first")).unwrap();
    backend.received(5).await;
    sender.send(Bytes::from_static(b" and last")).unwrap();
    drop(sender);
    assert_eq!(answer.await.unwrap().json::<serde_json::Value>(200)["body_len"], 14);
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_MAX_BODY_BYTES", "1073741824").start().await;
    let pieces = stream::iter((0..256).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![7; 1 << 18]))));
    let answer = Answer::to(app.request(Method::POST, "/v1/users/drain").body(Body::wrap_stream(pieces))).await;
    assert_eq!(answer.json::<serde_json::Value>(200)["body_len"], 64 << 20);
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let mut answer = app.request(Method::GET, "/v1/users/huge").send().await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        bytes += piece.len();
    }
    assert_eq!(bytes, 64 << 20);
}

#[tokio::test]
async fn events_come_one_by_one_and_at_once() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let answer = app.request(Method::GET, "/v1/users/gate").header("accept-encoding", "gzip, br").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(!answer.headers().contains_key("content-encoding"), "a coder would hold events back");
    let mut events = answer.bytes_stream();
    for n in 0..3 {
        backend.open_gate();
        let event =
            tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("an event").unwrap().unwrap();
        assert_eq!(event, format!("data: {n}\n\n"));
    }
}

#[tokio::test]
async fn a_stream_of_events_outlives_the_deadline_of_calls() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_REQUEST_TIMEOUT_MS", "300").start().await;
    let mut events = app.request(Method::GET, "/v1/users/gate").send().await.unwrap().bytes_stream();
    tokio::time::sleep(Duration::from_millis(600)).await;
    backend.open_gate();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 0\n\n");
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_ended() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_ANSWER_IDLE_TIMEOUT_MS", "300").start().await;
    let mut events = app.request(Method::GET, "/v1/users/gate").send().await.unwrap().bytes_stream();
    backend.open_gate();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 0\n\n");
    let end = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("an end").unwrap();
    assert!(end.is_err(), "an end that cannot be taken for a complete answer: {end:?}");
    backend.abandoned(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_ends_it_at_the_service() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let mut events = app.request(Method::GET, "/v1/users/gate").send().await.unwrap().bytes_stream();
    backend.open_gate();
    events.next().await.unwrap().unwrap();
    drop(events);
    backend.abandoned(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels_the_work() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    let request = format!("GET /v1/users/hang HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", app.token());
    stream.write_all(request.as_bytes()).await.unwrap();
    while backend.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stream);
    backend.abandoned(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_client_that_dribbles_its_headers_is_let_go() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    stream.write_all(b"GET /v1/users/me HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let dribble = kit::tasks::spawn("test.dribble", async move {
        while writer.write_all(b"X-A: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(15), reader.read_to_end(&mut answer))
        .await
        .expect("the gateway hangs up");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    dribble.abort();
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn a_client_that_stops_in_its_body_is_let_go() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_UPLOAD_IDLE_TIMEOUT_MS", "500").start().await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    let request = format!(
        "POST /v1/users/drain HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\nabc",
        app.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
        .await
        .expect("the gateway hangs up");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_client_that_dribbles_its_body_is_let_go() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_REQUEST_TIMEOUT_MS", "1500").start().await;
    let pieces = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
    });
    let begun = Instant::now();
    let answer = app.request(Method::POST, "/v1/users/drain").body(Body::wrap_stream(pieces)).send().await.unwrap();
    assert!(matches!(answer.status().as_u16(), 408 | 504), "{}", answer.status());
    assert!(begun.elapsed() < Duration::from_secs(5));
}
