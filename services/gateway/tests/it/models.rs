//! Calls of language models: larger, longer, often streamed, and refused in the words of their protocols.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use reqwest::{Body, Method};
use serde_json::Value;
use testkit::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Backend, Script, raw_service};

const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

async fn app(ai: &Backend) -> App {
    App::builder().users(&[ai]).ai(ai).start().await
}

#[tokio::test]
async fn every_route_of_ai_leads_there() {
    let (ai, users) = (Backend::start(), Backend::start());
    let app = App::builder().users(&[&users]).ai(&ai).start().await;
    let routes = [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages/count_tokens",
        "/v1/embeddings",
        "/v1/models",
        "/v1/models/llama",
        "/v1/ai/usage",
    ];
    for path in routes {
        app.get(path).await.json::<Value>(200);
    }
    assert_eq!(ai.seen().iter().map(|seen| seen.target.clone()).collect::<Vec<_>>(), routes);
    assert!(users.seen().is_empty());
}

#[tokio::test]
async fn the_gateway_refuses_in_the_words_of_the_route() {
    let ai = Backend::start();
    let app = app(&ai).await;
    let request = |method: Method, path: &str| app.client.request(method, format!("{}{path}", app.url));
    let anonymous = Answer::to(request(Method::POST, "/v1/chat/completions").body("{}")).await;
    assert_eq!(anonymous.openai_error(401), "unauthenticated");
    assert!(anonymous.header("www-authenticate").is_some());
    let anonymous = Answer::to(request(Method::POST, "/v1/messages").body("{}")).await;
    assert_eq!(anonymous.anthropic_error(401), "authentication_error");
    assert_eq!(anonymous.header("request-id"), anonymous.header("x-request-id"));
    let stale = request(Method::GET, "/v1/models").bearer_auth("stale").header("anthropic-version", "2023-06-01");
    assert_eq!(Answer::to(stale).await.anthropic_error(401), "authentication_error");
    assert_eq!(app.get("/v1/chat/nothing").await.openai_error(404), "not_found");
    assert_eq!(app.get("/v1/models/a%2fb").await.openai_error(400), "ambiguous_path");
    let trace = app.request(Method::TRACE, "/v1/embeddings");
    assert_eq!(Answer::to(trace).await.openai_error(405), "method_not_allowed");
    let socket =
        app.request(Method::GET, "/v1/responses").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(Answer::to(socket).await.openai_error(501), "upgrade_not_supported");
    assert_eq!(app.get_anonymously("/v1/ai/models").await.problem(401), "unauthenticated");
    assert!(ai.seen().is_empty());
}

#[tokio::test]
async fn a_service_that_is_away_is_told_in_the_words_of_the_route_too() {
    let users = Backend::start();
    let app = App::builder()
        .users(&[&users])
        .ai_at(NOBODY, NOBODY)
        .env("BRAINOPS_MODEL_REQUEST_TIMEOUT_MS", "400")
        .start()
        .await;
    let down = Answer::to(app.request(Method::POST, "/v1/chat/completions").body("{}")).await;
    assert_eq!(down.openai_error(503), "upstream_unavailable");
    assert_eq!(down.header("retry-after"), Some("1"));
    let down = Answer::to(app.request(Method::POST, "/v1/messages").body("{}")).await;
    assert_eq!(down.anthropic_error(503), "overloaded_error");
    assert_eq!(down.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_service_that_was_left_out_is_told_from_one_that_is_down() {
    let users = Backend::start();
    let app = App::before(&users).await;
    let answer = Answer::to(app.request(Method::POST, "/v1/chat/completions").body("{}")).await;
    assert_eq!(answer.openai_error(404), "service_not_deployed");
    assert_eq!(answer.header("retry-after"), None, "waiting does not help");
    assert_eq!(app.get("/v1/ai/models").await.problem(404), "service_not_deployed");
    app.ready_without(&[]).await;
}

#[tokio::test]
async fn a_prompt_may_be_larger_than_other_bodies() {
    let ai = Backend::start();
    let app = app(&ai).await;
    let post = |path: &str, bytes: usize| Answer::to(app.request(Method::POST, path).body(vec![b' '; bytes]));
    assert_eq!(post("/v1/chat/completions", 20 << 20).await.json::<Value>(200)["body_len"], 20 << 20);
    assert_eq!(post("/v1/chat/completions", (20 << 20) + 1).await.openai_error(413), "payload_too_large");
    assert_eq!(post("/v1/messages", (20 << 20) + 1).await.anthropic_error(413), "request_too_large");
    assert_eq!(post("/v1/ai/models", (1 << 20) + 1).await.problem(413), "payload_too_large");
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_before_they_are_read() {
    let ai = Backend::start();
    let app = app(&ai).await;
    let megabyte = || stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 20]))));
    // Announced: the whole is refused at its head.
    let announced = app
        .request(Method::POST, "/v1/chat/completions")
        .header("content-length", 100 << 20)
        .body(Body::wrap_stream(megabyte()));
    assert_eq!(Answer::to(announced).await.openai_error(413), "payload_too_large");
    assert!(ai.seen().is_empty());
    // Not announced: cut off at the limit, and the service never takes the beginning for the whole.
    let unannounced = app.request(Method::POST, "/v1/messages/drain").body(Body::wrap_stream(megabyte()));
    assert_eq!(Answer::to(unannounced).await.anthropic_error(413), "request_too_large");
    assert!(ai.seen().iter().all(|seen| seen.body_len == 0));
}

#[tokio::test]
async fn a_model_may_think_longer_than_other_calls_take() {
    let ai = Backend::start();
    let app = App::builder().users(&[&ai]).ai(&ai).env("BRAINOPS_REQUEST_TIMEOUT_MS", "300").start().await;
    assert_eq!(app.get("/v1/users/think").await.problem(504), "upstream_timeout");
    let thinking = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        ai.open_gate();
    };
    let (answer, ()) = future::join(app.get("/v1/chat/completions/think"), thinking).await;
    answer.json::<Value>(200);
}

#[tokio::test]
async fn a_model_that_never_answers_is_given_up() {
    let ai = Backend::start();
    let app = App::builder().users(&[&ai]).ai(&ai).env("BRAINOPS_MODEL_REQUEST_TIMEOUT_MS", "300").start().await;
    let answer = app.get("/v1/responses/hang").await;
    assert_eq!(answer.openai_error(504), "upstream_timeout");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(app.get("/v1/messages/hang").await.anthropic_error(504), "timeout_error");
    ai.abandoned_times(2, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_model_may_pause_in_its_stream_longer_than_others() {
    let ai = Backend::start();
    let app = App::builder()
        .users(&[&ai])
        .ai(&ai)
        .env("BRAINOPS_ANSWER_IDLE_TIMEOUT_MS", "200")
        .env("BRAINOPS_MODEL_ANSWER_IDLE_TIMEOUT_MS", "1500")
        .env("BRAINOPS_MODEL_REQUEST_TIMEOUT_MS", "500")
        .start()
        .await;
    let mut events = app.request(Method::GET, "/v1/chat/completions/gate").send().await.unwrap().bytes_stream();
    tokio::time::sleep(Duration::from_millis(700)).await;
    ai.open_gate();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 0\n\n", "later than the deadline of whole answers");
    let end = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("an end").unwrap();
    assert!(end.is_err(), "an end that cannot be taken for a complete answer: {end:?}");
}

#[tokio::test]
async fn events_pass_one_by_one_and_uncompressed() {
    let ai = Backend::start();
    let app = app(&ai).await;
    for path in ["/v1/chat/completions/gate", "/v1/messages/gate", "/v1/responses/gate"] {
        let answer = app.request(Method::POST, path).header("accept-encoding", "gzip, br").send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(!answer.headers().contains_key("content-encoding"));
        let mut events = answer.bytes_stream();
        for n in 0..3 {
            ai.open_gate();
            let event = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("an event");
            assert_eq!(event.unwrap().unwrap(), format!("data: {n}\n\n"));
        }
    }
}

#[tokio::test]
async fn the_first_event_comes_with_the_head() {
    const BEGUN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                         a\r\ndata: a1\n\n\r\n";
    let (addr, _) = raw_service(Script::AnswerAndHold(BEGUN)).await;
    let users = Backend::start();
    let app = App::builder().users(&[&users]).ai_at(addr, NOBODY).start().await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 2\r\n\r\n{{}}",
        app.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // One read of what one write sent: two writes would mean a packet more before the first word.
    let mut buffer = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.unwrap().unwrap();
    let first = String::from_utf8_lossy(&buffer[..read]).into_owned();
    assert!(first.starts_with("HTTP/1.1 200") && first.contains("data: a1\n\n"), "{first}");
}

#[tokio::test]
async fn two_hundred_clients_that_leave_their_streams_leave_nothing_behind() {
    const CLIENTS: usize = 200;
    let ai = Backend::start();
    let app = app(&ai).await;
    let in_flight = "brainops_gateway_calls_in_flight{service=\"gateway\",upstream=\"ai\"}";
    let begin = |_| async {
        let answer = app.request(Method::POST, "/v1/chat/completions/begun").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut events = answer.bytes_stream();
        assert_eq!(events.next().await.unwrap().unwrap(), "data: 0\n\n");
        events
    };
    // Not all at once: on a busy machine the last would not get its head sent within the time that there is for it.
    let streams: Vec<_> = stream::iter(0..CLIENTS).map(begin).buffer_unordered(20).collect().await;
    app.metric(in_flight, 200).await;
    drop(streams);
    ai.abandoned_times(CLIENTS, Duration::from_secs(10)).await;
    app.metric(in_flight, 0).await;
    app.metric("http_requests_in_flight{service=\"gateway\"}", 0).await;
    // None of the connections that were left is used for the next call.
    app.get("/v1/models").await.json::<Value>(200);
}
