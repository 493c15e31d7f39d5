//! Services that are down, slow or broken.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;
use testkit::Answer;

use crate::support::{App, Backend, Script, raw_service};

/// A port where nobody listens.
async fn closed_port() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn before_script(script: Script) -> (App, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let (addr, heard) = raw_service(script).await;
    (App::builder().users_at(&[(addr, closed_port().await)]).start().await, heard)
}

#[tokio::test]
async fn a_service_that_is_down_is_503_with_a_time_to_wait() {
    let (public, private) = (closed_port().await, closed_port().await);
    let app = App::builder().users_at(&[(public, private)]).start().await;
    let answer = app.get("/v1/users/me").await;
    assert_eq!(answer.problem(503), "upstream_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let text = answer.text();
    assert!(!text.contains("127.0.0.1"), "addresses of the inside stay inside: {text}");
    let metrics = Answer::to(app.client.get(format!("{}/metrics", app.private_url))).await.text();
    let counted =
        "brainops_gateway_failures_total{code=\"upstream_unavailable\",service=\"gateway\",upstream=\"users\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_service_that_is_slow_is_504() {
    let backend = Backend::start();
    let app = App::builder().users(&[&backend]).env("BRAINOPS_REQUEST_TIMEOUT_MS", "400").start().await;
    let begun = Instant::now();
    let answer = app.get("/v1/users/hang").await;
    assert_eq!(answer.problem(504), "upstream_timeout");
    assert!(answer.header("retry-after").is_some());
    assert!(begun.elapsed() < Duration::from_secs(3));
    backend.abandoned(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_answer_that_is_none_is_502() {
    for answer in
        ["", "HTTP/1.1 200 OK\r\nContent-Le", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
    {
        let (app, heard) = before_script(Script::AnswerAndClose(answer)).await;
        assert_eq!(app.get("/v1/users/me").await.problem(502), "upstream_failed", "{answer:?}");
        assert_eq!(heard.load(Ordering::SeqCst), 1, "a new connection that breaks is not tried again");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_passed_off_as_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense",
    ] {
        let (app, _) = before_script(Script::AnswerAndClose(answer)).await;
        let got = app.request(Method::GET, "/v1/users/me").send().await;
        let whole = match got {
            Ok(answer) => answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        assert!(!whole, "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    let (app, _) = before_script(Script::AnswerAndClose("HTTP/1.0 200 OK\r\n\r\nall of it")).await;
    assert_eq!(app.get("/v1/users/me").await.text(), "all of it");
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_502() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (app, _) = before_script(Script::AnswerAndClose(switch)).await;
    assert_eq!(app.get("/v1/users/me").await.problem(502), "upstream_failed");
}

#[tokio::test]
async fn a_get_on_a_connection_that_was_kept_in_vain_is_sent_again() {
    let (app, heard) = before_script(Script::CloseOnSecond).await;
    assert_eq!(app.get("/v1/users/a").await.text(), "ok");
    assert_eq!(app.get("/v1/users/b").await.text(), "ok");
    assert_eq!(heard.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_change_that_may_have_happened_is_not_sent_again() {
    let (app, heard) = before_script(Script::CloseOnSecond).await;
    assert_eq!(app.get("/v1/users/a").await.text(), "ok");
    let answer = Answer::to(app.request(Method::POST, "/v1/users/b")).await;
    assert_eq!(answer.problem(502), "upstream_failed");
    assert_eq!(heard.load(Ordering::SeqCst), 2);
}
