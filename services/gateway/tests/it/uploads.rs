//! Calls that bring documents and imports: larger than others, and with more time.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Method};
use serde_json::Value;
use testkit::Answer;

use crate::support::{App, Backend};

const MIB: usize = 1 << 20;

async fn app(memory: &Backend) -> App {
    App::builder().users(&[memory]).memory(memory).start().await
}

async fn post(app: &App, path: &str, bytes: usize) -> Answer {
    Answer::to(app.request(Method::POST, path).body(vec![b' '; bytes])).await
}

#[tokio::test]
async fn a_document_may_be_larger_than_other_bodies() {
    let memory = Backend::start();
    let app = app(&memory).await;
    for path in ["/v1/memory/documents", "/v1/memory/import"] {
        for bytes in [10 * MIB, 32 * MIB] {
            assert_eq!(post(&app, path, bytes).await.json::<Value>(200)["body_len"], bytes, "{path}");
        }
        assert_eq!(post(&app, path, 40 * MIB).await.problem(413), "payload_too_large", "{path}");
    }
    for path in ["/v1/memory/memories", "/v1/memory/search", "/v1/memory/compat"] {
        assert_eq!(post(&app, path, MIB).await.json::<Value>(200)["body_len"], MIB, "{path}");
        assert_eq!(post(&app, path, MIB + 1).await.problem(413), "payload_too_large", "{path}");
    }
    assert!(memory.seen().iter().all(|seen| seen.body_len <= 32 * MIB));
}

#[tokio::test]
async fn a_document_of_unknown_length_is_cut_off_at_the_limit() {
    let memory = Backend::start();
    let app = app(&memory).await;
    let pieces = stream::iter((0..40).map(|_| Ok::<_, io::Error>(Bytes::from(vec![b' '; MIB]))));
    let request = app.request(Method::POST, "/v1/memory/documents/drain").body(Body::wrap_stream(pieces));
    assert_eq!(Answer::to(request).await.problem(413), "payload_too_large");
    assert!(memory.seen().iter().all(|seen| seen.body_len == 0), "no service took the beginning for the whole");
}

#[tokio::test]
async fn a_document_is_passed_on_while_it_comes() {
    let memory = Backend::start();
    let app = app(&memory).await;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let pieces = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (Ok::<_, io::Error>(piece), receiver))
    });
    let request = app.request(Method::POST, "/v1/memory/documents").body(Body::wrap_stream(pieces));
    let sending = async {
        for piece in 1..=8 {
            sender.send(Bytes::from(vec![b' '; MIB])).unwrap();
            // The service has it before the next one is sent: nothing is collected on the way.
            memory.received(piece * MIB).await;
        }
        drop(sender);
    };
    let (answer, ()) = futures_util::future::join(Answer::to(request), sending).await;
    assert_eq!(answer.json::<Value>(200)["body_len"], 8 * MIB);
}

#[tokio::test]
async fn a_document_may_take_longer_than_other_bodies() {
    let memory = Backend::start();
    let app = App::builder()
        .users(&[&memory])
        .memory(&memory)
        .env("BRAINOPS_REQUEST_TIMEOUT_MS", "400")
        .env("BRAINOPS_UPLOAD_REQUEST_TIMEOUT_MS", "60000")
        .start()
        .await;
    let slow = || {
        let pieces = stream::iter(0..8).then(|_| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, io::Error>(Bytes::from_static(b"12345"))
        });
        Body::wrap_stream(pieces)
    };
    let document = app.request(Method::POST, "/v1/memory/documents").body(slow());
    assert_eq!(Answer::to(document).await.json::<Value>(200)["body_len"], 40);
    let memories = Answer::to(app.request(Method::POST, "/v1/memory/memories").body(slow())).await;
    assert!(matches!(memories.status, 408 | 504), "{}", memories.text());
}
