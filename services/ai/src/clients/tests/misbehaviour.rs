//! What goes wrong, and what it is called.

use std::time::Instant;

use serde_json::json;
use testkit::providers::{FakeProvider, Gate, Reply};

use super::*;
use crate::clients::Kind;

const KINDS: [ProviderKind; 3] = [ProviderKind::Openai, ProviderKind::Anthropic, ProviderKind::Gemini];

/// Short, for what never comes; long against what does.
const HASTY: Deadlines = Deadlines {
    first_byte: Duration::from_millis(150),
    idle: Duration::from_millis(150),
    total: Duration::from_millis(150),
};

async fn whole(fake: &FakeProvider, kind: ProviderKind, reply: Reply, deadlines: Deadlines) -> Failure {
    let provider = provider(fake, kind);
    fake.next(reply);
    providers().complete(attempt(&provider, deadlines), &ask("one two three")).await.unwrap_err()
}

/// The failure of a stream, before its first event or after.
async fn streamed(fake: &FakeProvider, kind: ProviderKind, reply: Reply, deadlines: Deadlines) -> Failure {
    let provider = provider(fake, kind);
    fake.next(reply);
    match providers().stream(attempt(&provider, deadlines), &ask("one two three")).await {
        Err(failure) => failure,
        Ok(stream) => collect(stream).await.pop().unwrap().unwrap_err(),
    }
}

#[tokio::test]
async fn every_refusal_has_its_kind() {
    let fake = FakeProvider::start().await;
    let error = |status, kind, message| Reply::error(status, kind, message);
    let too_long = "This model's maximum context length is 8192 tokens, however you requested 9000.";
    let everywhere = [(401, Kind::Unauthenticated), (402, Kind::OutOfCredit), (404, Kind::ModelNotFound)]
        .into_iter()
        .chain([(429, Kind::RateLimited), (400, Kind::BadRequest), (422, Kind::BadRequest), (500, Kind::ServerError)])
        .chain([(503, Kind::Overloaded), (529, Kind::Overloaded), (502, Kind::ServerError), (504, Kind::Timeout)]);
    for (status, kind) in everywhere {
        for provider in KINDS {
            // Google knows no 402 and 529, so their word for it decides nothing.
            let reply = match (provider, status) {
                (ProviderKind::Gemini, 402 | 529 | 502) | (ProviderKind::Openai, 402 | 503 | 529 | 504) => {
                    error(status, "unheard_of", "no")
                }
                (ProviderKind::Anthropic, 503) => error(status, "overloaded_error", "no"),
                _ => Reply::status(status),
            };
            let failure = whole(&fake, provider, reply.clone(), PATIENT).await;
            assert_eq!((failure.kind, failure.status), (kind, Some(status)), "{provider:?}");
            let failure = streamed(&fake, provider, reply, PATIENT).await;
            assert_eq!((failure.kind, failure.status), (kind, Some(status)), "{provider:?}");
        }
    }
    let openai = |reply| (ProviderKind::Openai, reply);
    let anthropic = |reply| (ProviderKind::Anthropic, reply);
    let gemini = |reply| (ProviderKind::Gemini, reply);
    for ((provider, reply), kind) in [
        (openai(error(400, "", "x").code("context_length_exceeded")), Kind::ContextTooLong),
        (openai(error(400, "BadRequestError", too_long)), Kind::ContextTooLong),
        (openai(error(400, "exceed_context_size_error", "x")), Kind::ContextTooLong),
        (openai(error(429, "insufficient_quota", "x").code("insufficient_quota")), Kind::OutOfCredit),
        (openai(error(404, "", "x").code("model_not_found")), Kind::ModelNotFound),
        (openai(error(400, "", "x").code("model_not_found")), Kind::ModelNotFound),
        (openai(error(400, "", "x").code("content_filter")), Kind::ContentFiltered),
        (openai(error(400, "", "x").code("content_policy_violation")), Kind::ContentFiltered),
        (openai(error(400, "", "x").code("invalid_api_key")), Kind::Unauthenticated),
        (anthropic(error(400, "", "prompt is too long: 210000 tokens > 200000 maximum")), Kind::ContextTooLong),
        (anthropic(error(400, "", "Your credit balance is too low to access the API.")), Kind::OutOfCredit),
        (anthropic(error(413, "", "Request exceeds the maximum size")), Kind::BadRequest),
        (
            gemini(error(400, "", "The input token count (9) exceeds the maximum number of tokens allowed (8).")),
            Kind::ContextTooLong,
        ),
        (
            gemini(error(400, "", "API key not valid.").details(json!([{"reason": "API_KEY_INVALID"}]))),
            Kind::Unauthenticated,
        ),
    ] {
        assert_eq!(whole(&fake, provider, reply, PATIENT).await.kind, kind);
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_at_fault() {
    let fake = FakeProvider::start().await;
    let reply = Reply::error(400, "", "Invalid value: 'x'.").code("invalid_value").param("messages[0].role");
    let failure = whole(&fake, ProviderKind::Openai, reply, PATIENT).await;
    assert_eq!(failure.message.as_deref(), Some("Invalid value: 'x'."));
    assert_eq!(failure.param.as_deref(), Some("messages[0].role"));
    assert_eq!(failure.code.as_deref(), Some("invalid_value"));
    let details = json!([{"@type": "BadRequest", "fieldViolations": [{"field": "contents[0]", "description": "x"}]}]);
    let failure = whole(&fake, ProviderKind::Gemini, Reply::status(400).details(details), PATIENT).await;
    assert_eq!(failure.param.as_deref(), Some("contents[0]"));
    assert_eq!(failure.code.as_deref(), Some("INVALID_ARGUMENT"));
}

#[tokio::test]
async fn the_time_to_wait_is_read_in_every_form() {
    let fake = FakeProvider::start().await;
    let busy = || Reply::status(429);
    let date = ("date", "Mon, 02 Mar 2026 12:00:00 GMT");
    for (reply, seconds) in [
        (busy().retry_after("7"), Some(7.0)),
        (busy().retry_after("0.5"), Some(0.5)),
        (busy().header("retry-after-ms", "1250").retry_after("9"), Some(1.25)),
        (busy().retry_after("Mon, 02 Mar 2026 12:00:30 GMT").header(date.0, date.1), Some(30.0)),
        (busy().retry_after("Mon, 02 Mar 2026 11:00:00 GMT").header(date.0, date.1), Some(0.0)),
        (busy().retry_after("999999999"), Some(86_400.0)),
        (busy().retry_after("-1"), None),
        (busy().retry_after("soon"), None),
        (busy(), None),
    ] {
        let failure = whole(&fake, ProviderKind::Openai, reply, PATIENT).await;
        assert_eq!(failure.retry_after.map(|wait| wait.as_secs_f64()), seconds);
    }
    let info = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}]);
    let failure = whole(&fake, ProviderKind::Gemini, busy().details(info), PATIENT).await;
    assert_eq!((failure.kind, failure.retry_after), (Kind::RateLimited, Some(Duration::from_millis(3_500))));
}

#[tokio::test]
async fn what_is_no_answer_is_malformed() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        for reply in [
            Reply::html(),
            Reply::raw("application/json", "{\"half\": "),
            Reply::raw("application/json", "[1, 2]"),
            Reply::raw("application/json", "{}"),
            Reply::raw("application/json", ""),
            Reply::raw("text/plain", "{}"),
        ] {
            assert_eq!(whole(&fake, kind, reply.clone(), PATIENT).await.kind, Kind::Malformed, "{kind:?} {reply:?}");
            assert_eq!(streamed(&fake, kind, reply.clone(), PATIENT).await.kind, Kind::Malformed, "{kind:?} {reply:?}");
        }
        for body in ["data: {\"half\": \n\n", "data: 7\n\n", "data: \u{0}\n\n", ""] {
            let failure = streamed(&fake, kind, Reply::raw("text/event-stream", body), PATIENT).await;
            assert!(matches!(failure.kind, Kind::Malformed | Kind::Cut), "{kind:?} {body:?}: {failure:?}");
        }
        assert_eq!(streamed(&fake, kind, Reply::echo().malformed_after(2), PATIENT).await.kind, Kind::Malformed);
    }
}

#[tokio::test]
async fn an_error_inside_of_a_200_is_an_error() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let word = if kind == ProviderKind::Gemini { "RESOURCE_EXHAUSTED" } else { "rate_limit_error" };
        let document = json!({"error": {"type": word, "status": word, "message": "slow down"}}).to_string();
        let reply = Reply::raw("application/json", document);
        assert_eq!(whole(&fake, kind, reply.clone(), PATIENT).await.kind, Kind::RateLimited, "{kind:?}");
        assert_eq!(streamed(&fake, kind, reply, PATIENT).await.kind, Kind::RateLimited, "{kind:?}");
        for (word, expected) in [(word, Kind::RateLimited), ("unheard_of", Kind::ServerError)] {
            let failure = streamed(&fake, kind, Reply::echo().error_after(3, word, "slow down"), PATIENT).await;
            assert_eq!((failure.kind, failure.message.as_deref()), (expected, Some("slow down")), "{kind:?}");
        }
    }
    let failure =
        streamed(&fake, ProviderKind::Anthropic, Reply::echo().error_after(0, "overloaded_error", "x"), PATIENT);
    assert_eq!(failure.await.kind, Kind::Overloaded);
}

#[tokio::test]
async fn a_broken_connection_is_named_by_when_it_breaks() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        assert_eq!(whole(&fake, kind, Reply::hangup(), PATIENT).await.kind, Kind::Unreachable);
        assert_eq!(streamed(&fake, kind, Reply::hangup(), PATIENT).await.kind, Kind::Unreachable);
        assert_eq!(whole(&fake, kind, Reply::echo().cut_after(0), PATIENT).await.kind, Kind::Cut);
        for events in 0..6 {
            assert_eq!(streamed(&fake, kind, Reply::echo().cut_after(events), PATIENT).await.kind, Kind::Cut);
            let failure = streamed(&fake, kind, Reply::echo().close_after(events), PATIENT).await;
            assert_eq!(failure.kind, Kind::Cut, "{kind:?} closed after {events} events");
        }
    }
    let nobody =
        Provider { base_url: "http://127.0.0.1:9/v1".parse().unwrap(), ..provider(&fake, ProviderKind::Openai) };
    let failure = providers().complete(attempt(&nobody, PATIENT), &ask("?")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unreachable);
}

#[tokio::test]
async fn an_answer_is_whole_without_the_last_word_where_the_protocol_says_so() {
    let fake = FakeProvider::start().await;
    for (kind, events) in [(ProviderKind::Openai, 6), (ProviderKind::Openai, 7)] {
        // All that is missing is the usage, or `[DONE]`.
        for reply in
            [Reply::echo().close_after(events), Reply::echo().cut_after(events), Reply::echo().stall_after(events)]
        {
            fake.next(reply);
            let provider = provider(&fake, kind);
            let deadlines = Deadlines { idle: Duration::from_millis(150), ..PATIENT };
            let stream = providers().stream(attempt(&provider, deadlines), &ask("one two")).await.unwrap();
            let answer = assemble(super::events(stream).await);
            assert_eq!(answer.choices[0].parts, [Part::text("You said: one two")]);
            assert_eq!(answer.usage.is_some(), events == 7);
        }
    }
    // Anthropic says when it is over.
    let failure = streamed(&fake, ProviderKind::Anthropic, Reply::text("a").close_after(6), PATIENT).await;
    assert_eq!(failure.kind, Kind::Cut);
}

#[tokio::test]
async fn where_the_bytes_are_split_does_not_matter() {
    let fake = FakeProvider::start().await;
    let arguments = json!({"city": "Zürich", "emoji": "😀", "n": [1, 2]});
    for kind in KINDS {
        for reply in [
            Reply::thinking("hm, größer?", "Grüße, 世界 😀!").cached(1, 0),
            Reply::tools([("weather", arguments.clone()), ("now", json!({}))]).and_text("é "),
        ] {
            for bytes in [1, 2, 3, 7, 61] {
                // Pieces of one byte are split everywhere at once.
                both(&fake, kind, reply.clone().in_pieces(bytes), &ask("one two three")).await;
            }
        }
    }
}

#[tokio::test]
async fn deadlines_hold_and_end_the_call() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let (gate, started) = (Gate::new(), Instant::now());
        assert_eq!(whole(&fake, kind, Reply::echo().held(&gate), HASTY).await.kind, Kind::Timeout);
        assert_eq!(streamed(&fake, kind, Reply::echo().held(&gate), HASTY).await.kind, Kind::Timeout);
        assert_eq!(streamed(&fake, kind, Reply::echo().stall_after(0), HASTY).await.kind, Kind::Timeout);
        let patient_first = Deadlines { first_byte: PATIENT.first_byte, ..HASTY };
        assert_eq!(streamed(&fake, kind, Reply::echo().stall_after(2), patient_first).await.kind, Kind::Timeout);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    fake.wait_for_cancelled(4 * KINDS.len()).await;
    assert_eq!(fake.active(), 0);
}

#[tokio::test]
async fn a_slow_stream_that_goes_on_is_no_timeout() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Openai);
    fake.next(Reply::text("one two three four five six seven").every(Duration::from_millis(60)));
    let deadlines = Deadlines { idle: Duration::from_secs(1), total: Duration::from_millis(100), ..PATIENT };
    let stream = providers().stream(attempt(&provider, deadlines), &ask("?")).await.unwrap();
    assert_eq!(assemble(events(stream).await).usage, used(1, 7));
}

#[tokio::test]
async fn heartbeats_are_no_first_event() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let deadlines = Deadlines { first_byte: Duration::from_millis(200), ..PATIENT };
        let failure = streamed(&fake, kind, Reply::heartbeats(Duration::from_millis(20)), deadlines).await;
        assert_eq!(failure.kind, Kind::Timeout);
    }
}

#[tokio::test]
async fn a_reader_may_take_longer_than_the_provider() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let (provider, gate) = (provider(&fake, kind), Gate::new());
        fake.next(Reply::text("one two").held_after(1, &gate));
        let deadlines = Deadlines { idle: Duration::from_millis(200), ..PATIENT };
        let mut stream = providers().stream(attempt(&provider, deadlines), &ask("?")).await.unwrap();
        assert!(matches!(stream.next().await, Some(Ok(ChatEvent::Started { .. }))));
        tokio::time::sleep(deadlines.idle * 2).await;
        gate.open();
        let rest: Vec<_> = stream.collect().await;
        assert_eq!(rest.last().unwrap().as_ref().unwrap(), &ChatEvent::Ended, "{kind:?}");
    }
}

#[tokio::test]
async fn whoever_stops_reading_ends_the_call() {
    let fake = FakeProvider::start().await;
    for (turn, kind) in KINDS.into_iter().enumerate() {
        let provider = provider(&fake, kind);
        fake.next(Reply::text("one two three").stall_after(3));
        let mut stream = providers().stream(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
        assert!(matches!(stream.next().await, Some(Ok(ChatEvent::Started { .. }))));
        assert_eq!((fake.active_streams(), fake.cancelled()), (1, turn));
        drop(stream);
        fake.wait_for_cancelled(turn + 1).await;
        fake.wait_until_idle().await;
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_sender() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let provider = provider(&fake, kind);
        fake.next(Reply::endless());
        let before = fake.bytes_sent();
        let mut stream = providers().stream(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
        // Until the buffers of the network are full.
        let mut sent = fake.bytes_sent();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = fake.bytes_sent();
            if now == sent {
                break;
            }
            assert!(now - before < 64 << 20, "nobody reads and {now} bytes were taken");
            sent = now;
        }
        for _ in 0..100 {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        fake.wait_until_idle().await;
    }
}

#[tokio::test]
async fn a_body_has_an_end() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let failure = whole(&fake, kind, Reply::huge((8 << 20) + 1), PATIENT).await;
        assert_eq!(failure.kind, Kind::TooLarge);
        let failure = whole(&fake, kind, Reply::endless(), PATIENT).await;
        assert_eq!(failure.kind, Kind::TooLarge);
        fake.wait_until_idle().await;
    }
}

#[tokio::test]
async fn no_failure_tells_a_key() {
    let fake = FakeProvider::start().await;
    let quoting = format!(
        "Wrong key {} and Bearer sk-proj-abcdefghijklmnop, org-0123456789abcdef; try again.",
        FakeProvider::KEY
    );
    for kind in KINDS {
        for status in [400, 401, 403, 429, 500] {
            let failure = whole(&fake, kind, Reply::error(status, "", &quoting), PATIENT).await;
            let shown = format!("{failure} {failure:?} {failure:#?}");
            for secret in [FakeProvider::KEY, "sk-proj-abcdefghijklmnop", "org-0123456789abcdef", "127.0.0.1"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
            assert_eq!(failure.message.is_none(), failure.kind == Kind::Unauthenticated);
            if let Some(message) = failure.message {
                assert_eq!(message, "Wrong key [redacted] and Bearer [redacted], [redacted]; try again.");
            }
        }
        let failure = whole(&fake, kind, Reply::error(400, "", &"so ".repeat(1_000)), PATIENT).await;
        assert_eq!(failure.message.unwrap().chars().count(), 1_000);
    }
    let broken = Provider { key: Some(Secret::new("sk-line\nbreak".into())), ..provider(&fake, ProviderKind::Openai) };
    let failure = providers().complete(attempt(&broken, PATIENT), &ask("?")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unauthenticated);
    assert!(!format!("{failure:?}").contains("sk-line"));
}

#[tokio::test]
async fn an_organization_cannot_reach_inside() {
    let fake = FakeProvider::start().await;
    let strict = Providers::new(Outbound::default());
    for kind in KINDS {
        for base_url in
            [fake.openai_url().as_str(), "https://127.0.0.1/v1", "https://localhost/v1", "https://169.254.169.254/"]
        {
            let provider = Provider { trusted: false, base_url: base_url.parse().unwrap(), ..provider(&fake, kind) };
            let failure = strict.complete(attempt(&provider, PATIENT), &ask("?")).await.unwrap_err();
            assert_eq!(failure.kind, Kind::Unreachable);
            let failure = strict.stream(attempt(&provider, PATIENT), &ask("?")).await.err().unwrap();
            assert_eq!(failure.kind, Kind::Unreachable);
            let failure = strict.models(&provider, PATIENT.total).await.unwrap_err();
            assert!(failure.message.is_some_and(|message| message.starts_with("the URL")));
        }
    }
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn the_guarded_way_answers_the_same() {
    let fake = FakeProvider::start().await;
    for kind in KINDS {
        let provider = Provider { trusted: false, ..provider(&fake, kind) };
        let answer = providers().complete(attempt(&provider, PATIENT), &ask("Hello there")).await.unwrap();
        let stream = providers().stream(attempt(&provider, PATIENT), &ask("Hello there")).await.unwrap();
        assert_eq!(assemble(events(stream).await), answer);
        fake.next(Reply::text("one two").cut_after(2));
        let stream = providers().stream(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
        assert_eq!(collect(stream).await.pop().unwrap().unwrap_err().kind, Kind::Cut);
        fake.next(Reply::huge((8 << 20) + 1));
        let failure = providers().complete(attempt(&provider, PATIENT), &ask("?")).await.unwrap_err();
        assert_eq!(failure.kind, Kind::TooLarge);
        fake.next(Reply::text("one two").stall_after(2));
        drop(providers().stream(attempt(&provider, PATIENT), &ask("?")).await.unwrap());
        fake.wait_until_idle().await;
    }
    fake.assert_clean();
}
