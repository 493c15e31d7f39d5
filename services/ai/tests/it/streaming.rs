//! Answers as they are made: at once, to the end, and never in silence.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};
use testkit::providers::{FakeProvider, Gate, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::world::{CHAT, builder, events, member, model, one, open, records, said, streamed};

const SOON: Duration = Duration::from_secs(10);

/// Reads on until `enough`, or to the end.
async fn read_until(response: &mut Response, enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    while !enough(&text) {
        match timeout(SOON, response.chunk()).await.expect("something more").expect("an orderly end") {
            Some(piece) => text.push_str(std::str::from_utf8(&piece).unwrap()),
            None => break,
        }
    }
    text
}

/// Reads to the end.
async fn rest(response: &mut Response) -> String {
    read_until(response, |_| false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_come_in_openais_form_and_end_with_done() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let mut body = streamed("Hello there");
    body["stream_options"] = json!({"include_usage": true});
    let mut answer = open(&app, &member(), CHAT, &body).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(answer.headers()["x-brainops-attempts"], "1");
    let text = rest(&mut answer).await;
    assert_eq!(said(&text), "You said: Hello there");
    let events = events(&text);
    assert_eq!(events.last().unwrap(), "[DONE]");
    let usage: Value = events[events.len() - 2].parse().unwrap();
    assert_eq!(usage["usage"]["completion_tokens"], 4);
    fake.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_and_messages_are_streamed_in_their_forms() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let body = json!({"model": "m", "stream": true, "input": "Hello there"});
    let text = rest(&mut open(&app, &member(), "/v1/responses", &body).await).await;
    assert!(text.contains("event: response.created") && text.contains("event: response.completed"), "{text}");
    let messages = json!([{"role": "user", "content": "Hello there"}]);
    let body = json!({"model": "m", "stream": true, "max_tokens": 20, "messages": messages});
    let text = rest(&mut open(&app, &member(), "/v1/messages", &body).await).await;
    assert!(text.contains("event: message_start") && text.contains("event: message_stop"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_before_the_next_is_made() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let gate = Gate::new();
    fake.next(Reply::text("one two three").held_after(2, &gate));
    let mut answer = open(&app, &member(), CHAT, &streamed("count")).await;
    let first = read_until(&mut answer, |text| text.contains("one")).await;
    assert!(!first.contains("three"));
    gate.open();
    assert!(rest(&mut answer).await.contains("[DONE]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_and_the_first_event_are_one_write() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let gate = Gate::new();
    fake.next(Reply::text("one two three").held_after(2, &gate));
    let mut socket = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let body = streamed("count").to_string();
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        app.auth.token(&member()),
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut first = vec![0; 16 << 10];
    let read = timeout(SOON, socket.read(&mut first)).await.unwrap().unwrap();
    let first = String::from_utf8_lossy(&first[..read]);
    assert!(first.starts_with("HTTP/1.1 200") && first.contains("\r\n\r\n") && first.contains("data: {"), "{first}");
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_filled_with_comments() {
    let fake = FakeProvider::start().await;
    let app = builder().env("BRAINOPS_AI_HEARTBEAT_MS", "50").env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "9000").start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    let gate = Gate::new();
    fake.next(Reply::text("one two three").held_after(2, &gate));
    let mut answer = open(&app, &member(), CHAT, &streamed("count")).await;
    let text = read_until(&mut answer, |text| text.matches(": \n\n").count() >= 3).await;
    assert!(text.contains("one") && !text.contains("three"), "{text}");
    gate.open();
    let text = text + &rest(&mut answer).await;
    assert_eq!(said(&text), "one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_ends_with_an_error_and_is_charged_for_what_it_gave() {
    let cases = [
        Reply::text("one two three four").cut_after(3),
        Reply::text("one two three four").close_after(3),
        Reply::text("one two three four").malformed_after(3),
        Reply::text("one two three four").stall_after(3),
        Reply::text("one two three four").error_after(3, "server_error", "Out of order"),
    ];
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    for (index, reply) in cases.into_iter().enumerate() {
        fake.next(reply.clone());
        let mut answer = open(&app, &member(), CHAT, &streamed("count")).await;
        assert_eq!(answer.status(), 200);
        let text = rest(&mut answer).await;
        assert!(said(&text).starts_with("one two"), "{text}");
        let last: Value = events(&text).last().unwrap().parse().unwrap();
        assert_eq!(last["error"]["code"], "stream_interrupted", "{reply:?}: {text}");
        assert!(!text.contains("Out of order"), "{text}");
        let record = records(&app, index + 1).await.pop().unwrap();
        assert_eq!((record.outcome.as_str(), record.estimated, record.streamed), ("failed", true, true), "{record:?}");
        assert!(record.output_tokens > 0 && record.cost_nano_usd > 0, "{record:?}");
    }
    assert_eq!(fake.requests().len(), 5, "nothing is tried again after the first byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_ends_the_call_at_the_provider_and_pays_once_for_what_was_made() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let gate = Gate::new();
    fake.next(Reply::text("one two three four").held_after(3, &gate));
    let mut answer = open(&app, &member(), CHAT, &streamed("count")).await;
    read_until(&mut answer, |text| text.contains("two")).await;
    drop(answer);
    fake.wait_for_cancelled(1).await;
    // One more, so that a second record of the first would be seen.
    rest(&mut open(&app, &member(), CHAT, &streamed("count")).await).await;
    let records = records(&app, 2).await;
    assert_eq!(records.len(), 2);
    let left = &records[0];
    assert_eq!((left.outcome.as_str(), left.estimated), ("client_left", true), "{left:?}");
    // "one two " is 8 characters, which are 2 tokens; prices are 1,000 and 2,000.
    assert_eq!(left.output_tokens, 2, "{left:?}");
    assert_eq!(left.cost_nano_usd, left.input_tokens * 1_000 + left.output_tokens * 2_000);
    assert_eq!(records[1].outcome, "completed");
    assert!(!records[1].estimated);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_the_first_event_ends_the_call_too() {
    let fake = FakeProvider::start().await;
    let app = builder().env("BRAINOPS_AI_FIRST_BYTE_TIMEOUT_MS", "9000").start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    fake.next(Reply::text("late").held(&Gate::new()));
    let (who, body) = (member(), streamed("count"));
    let request = open(&app, &who, CHAT, &body);
    let asked = fake.wait_for_request();
    tokio::select! {
        _ = request => panic!("there is no answer yet"),
        _ = asked => {}
    }
    fake.wait_for_cancelled(1).await;
    let record = records(&app, 1).await.pop().unwrap();
    assert_eq!((record.outcome.as_str(), record.output_tokens), ("client_left", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_provider_down() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    fake.next(Reply::endless());
    let answer = open(&app, &member(), CHAT, &streamed("talk")).await;
    let mut before = 0;
    let held = loop {
        // Sockets fill up, and then nothing moves; there is no sign of that but time.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = fake.bytes_sent();
        if now == before {
            break now;
        }
        before = now;
    };
    assert!((1..32 << 20).contains(&held), "{held} bytes");
    drop(answer);
    fake.wait_for_cancelled(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_counts_nothing_is_counted_here() {
    let fake = FakeProvider::start().await;
    let app = one(&fake).await;
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({
            "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]
        });
        format!("data: {chunk}\n\n")
    };
    let body = chunk(json!({"role": "assistant", "content": ""}), Value::Null)
        + &chunk(json!({"content": "twelve chars"}), Value::Null)
        + &chunk(json!({}), json!("stop"))
        + "data: [DONE]\n\n";
    fake.next(Reply::raw("text/event-stream", body));
    let mut asked = streamed("count");
    asked["stream_options"] = json!({"include_usage": true});
    let text = rest(&mut open(&app, &member(), CHAT, &asked).await).await;
    let events = events(&text);
    let usage: Value = events[events.len() - 2].parse().unwrap();
    assert_eq!(usage["usage"]["completion_tokens"], 3, "{text}");
    let record = records(&app, 1).await.pop().unwrap();
    assert_eq!((record.outcome.as_str(), record.output_tokens, record.estimated), ("completed", 3, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_leaves_lets_streams_finish() {
    let fake = FakeProvider::start().await;
    let mut app = builder().env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "9000").start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    let gate = Gate::new();
    fake.next(Reply::text("one two three").held_after(2, &gate));
    let mut answer = open(&app, &member(), CHAT, &streamed("count")).await;
    let begun = read_until(&mut answer, |text| text.contains("one")).await;
    let ready = format!("{}/readyz", app.private_url);
    let finished = async {
        while get(&ready).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gate.open();
        rest(&mut answer).await
    };
    let (text, ()) = futures_util::join!(finished, app.stop());
    let text = begun + &text;
    assert_eq!(said(&text), "one two three");
    assert!(text.contains("[DONE]"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_outlasts_a_service_that_leaves_is_told_so() {
    let fake = FakeProvider::start().await;
    let mut app =
        builder().env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "60000").env("BRAINOPS_AI_STREAM_GRACE_MS", "300").start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    fake.next(Reply::text("one two three").held_after(2, &Gate::new()));
    let mut answer = open(&app, &member(), CHAT, &streamed("count")).await;
    read_until(&mut answer, |text| text.contains("one")).await;
    let (text, ()) = futures_util::join!(rest(&mut answer), app.stop());
    let last: Value = events(&text).last().unwrap().parse().unwrap();
    assert_eq!(last["error"]["code"], "stream_interrupted", "{text}");
    let record = records(&app, 1).await.pop().unwrap();
    assert_eq!(record.outcome, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_slow_streams_at_once() {
    let fake = FakeProvider::start().await;
    let app = builder()
        .env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "30000")
        .env("BRAINOPS_AI_FIRST_BYTE_TIMEOUT_MS", "30000")
        .start()
        .await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    let gate = Gate::new();
    fake.always(
        Reply::text("one two three four five six seven eight").held_after(4, &gate).every(Duration::from_millis(5)),
    );
    let who = member();
    let body = streamed("count");
    let streams = futures_util::stream::iter(0..500)
        .map(|_| async {
            let mut answer = open(&app, &who, CHAT, &body).await;
            let text = read_until(&mut answer, |text| text.contains("two")).await;
            assert!(text.contains("two"), "{} {text}", answer.status());
            (answer, text)
        })
        .buffer_unordered(100)
        .collect::<Vec<_>>()
        .await;
    assert_eq!(fake.active_streams(), 500);
    gate.open();
    for (mut answer, text) in streams {
        let text = text + &rest(&mut answer).await;
        assert_eq!(said(&text), "one two three four five six seven eight");
    }
    fake.wait_until_idle().await;
    assert_eq!(records(&app, 500).await.len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_who_connect_and_leave() {
    let fake = FakeProvider::start().await;
    let app = builder()
        .env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "30000")
        .env("BRAINOPS_AI_FIRST_BYTE_TIMEOUT_MS", "30000")
        .start()
        .await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    fake.always(Reply::text("one two three four").held_after(2, &Gate::new()));
    let who = member();
    let body = streamed("count");
    futures_util::stream::iter(0..300)
        .for_each_concurrent(50, |_| async {
            let mut answer = open(&app, &who, CHAT, &body).await;
            read_until(&mut answer, |text| text.contains("one")).await;
        })
        .await;
    fake.wait_for_cancelled(300).await;
    assert_eq!(fake.active(), 0);
    let records = records(&app, 300).await;
    assert_eq!(records.len(), 300);
    assert!(records.iter().all(|record| record.outcome == "client_left"));
    let metrics = get(&format!("{}/metrics", app.private_url)).await.text();
    assert!(metrics.contains("ai_streams_open{service=\"ai\"} 0"), "a stream is still counted as open");
}

async fn get(url: &str) -> testkit::Answer {
    testkit::Answer::to(kit::outbound::plain_client().get(url)).await
}
