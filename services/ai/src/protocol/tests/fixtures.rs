//! Requests, answers and streams that the tests share.

use std::fmt::Write;

use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::{
    domain::{
        chat::{ChatEvent, ChatRequest, Choice, Completion, Dialect, Part, StopReason, TokenUsage, ToolCall},
        warnings::Warnings,
    },
    protocol::{ApiError, Envelope, encoder, parse, render},
};

pub const DIALECTS: [Dialect; 3] = [Dialect::ChatCompletions, Dialect::Responses, Dialect::Messages];

/// A PNG of one pixel.
pub const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub fn read(dialect: Dialect, body: Value) -> ChatRequest {
    parse(dialect, body).unwrap().0
}

/// Each body is refused with its code, at its place, in words that name the place.
pub fn check_refusals<const N: usize>(dialect: Dialect, cases: [(Value, &str, &str); N]) {
    for (body, code, param) in cases {
        let shown = body.to_string();
        let error: ApiError = parse(dialect, body).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (code, Some(param)), "{shown}: {error:?}");
        assert!(error.message.contains(param) && error.message.ends_with('.'), "{error:?}");
        assert_eq!(error.status, 400);
        assert!(crate::error::CODES.iter().any(|row| row.code == error.code), "{code} has no row");
    }
}

/// All [`answers`] at once, each under its name.
pub fn wholes(request: &ChatRequest) -> String {
    let mut all = String::new();
    for (name, answer) in answers() {
        let whole = render(request, &answer, &envelope());
        let _ = writeln!(all, "# {name}\n{}\n", serde_json::to_string_pretty(&whole).unwrap());
    }
    all
}

/// All [`answers`] as streams, each under its name.
pub fn streams(request: &ChatRequest) -> String {
    let mut all = String::new();
    for (name, answer) in answers() {
        let _ = writeln!(all, "# {name}\n{}", encoded(request, &events(&answer)));
    }
    all
}

/// The least that each dialect accepts.
pub fn minimal(dialect: Dialect) -> Value {
    match dialect {
        Dialect::ChatCompletions => json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}),
        Dialect::Responses => json!({"model": "m", "input": "Hi"}),
        Dialect::Messages => {
            json!({"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]})
        }
    }
}

/// A request of the dialect with some fields more.
pub fn with(dialect: Dialect, fields: Value) -> Value {
    let mut body = minimal(dialect);
    let (Value::Object(body_map), Value::Object(fields)) = (&mut body, fields) else { panic!("objects") };
    body_map.extend(fields);
    body
}

pub fn envelope() -> Envelope {
    Envelope {
        id: "0199a1b2c3d47e5f8a9b0c1d2e3f4a5b".into(),
        created: DateTime::from_timestamp(1_764_000_000, 0).unwrap(),
        model: "smart".into(),
    }
}

pub fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
}

pub fn thinking(text: &str, signature: Option<&str>) -> Part {
    Part::Thinking { text: text.into(), signature: signature.map(Into::into) }
}

pub fn completion(parts: Vec<Part>, stop: StopReason) -> Completion {
    Completion {
        id: Some("upstream-1".into()),
        model: Some("gpt-5-mini-2025-08-07".into()),
        choices: vec![Choice { parts, stop, stop_sequence: None, logprobs: None }],
        usage: Some(TokenUsage { input: 100, cached_input: 60, cache_write: 10, output: 20, reasoning: 5 }),
        extra: Map::new(),
        warnings: Warnings::default(),
    }
}

/// One answer of every kind.
pub fn answers() -> Vec<(&'static str, Completion)> {
    let text = || Part::text("The capital is Paris.");
    let refusal = || Part::Refusal { text: "I cannot help with that.".into() };
    vec![
        ("text", {
            // What a provider of either family adds; each caller gets what its own family has.
            let mut answer = completion(vec![text()], StopReason::End);
            for (name, value) in [("system_fingerprint", json!("fp_1")), ("container", json!({"id": "c-1"}))] {
                answer.extra.insert(name.into(), value);
            }
            answer
        }),
        ("nothing", completion(vec![], StopReason::End)),
        ("cut", completion(vec![Part::text("The cap")], StopReason::Length)),
        ("stop_sequence", {
            let mut answer = completion(vec![Part::text("The capital is")], StopReason::StopSequence);
            answer.choices[0].stop_sequence = Some("Paris".into());
            answer
        }),
        ("tool", completion(vec![call("call_1", "weather", r#"{"city":"Paris"}"#)], StopReason::ToolCalls)),
        (
            "parallel_tools",
            completion(
                vec![
                    Part::text("Let me look."),
                    call("call_1", "weather", r#"{"city":"Paris"}"#),
                    call("call_2", "time", ""),
                ],
                StopReason::ToolCalls,
            ),
        ),
        (
            "thinking",
            completion(
                vec![
                    thinking("France; its capital.", Some("sig-1")),
                    Part::RedactedThinking { data: "c2VjcmV0".into() },
                    text(),
                ],
                StopReason::End,
            ),
        ),
        (
            "thinking_then_tool",
            completion(
                vec![thinking("I need the weather.", Some("sig-2")), call("call_1", "weather", "{}")],
                StopReason::ToolCalls,
            ),
        ),
        ("refusal", completion(vec![refusal()], StopReason::Refusal)),
        ("refused_without_words", completion(vec![], StopReason::Refusal)),
        ("filtered", completion(vec![Part::text("How to")], StopReason::ContentFilter)),
        ("paused", completion(vec![text()], StopReason::Other("pause_turn".into()))),
        ("malformed_arguments", completion(vec![call("call_1", "weather", r#"{"city": "#)], StopReason::ToolCalls)),
    ]
}

/// The events by which a provider would stream `completion`: texts and arguments in pieces of a few characters.
pub fn events(completion: &Completion) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::Started {
        id: completion.id.clone(),
        model: completion.model.clone(),
        extra: completion.extra.clone(),
        warnings: completion.warnings.clone(),
    }];
    for (choice, answer) in (0..).zip(&completion.choices) {
        let mut calls = 0;
        for part in &answer.parts {
            part_events(part, choice, &mut calls, &mut events);
        }
        let (stop, stop_sequence) = (answer.stop.clone(), answer.stop_sequence.clone());
        events.push(ChatEvent::ChoiceEnded { choice, stop, stop_sequence });
    }
    events.extend(completion.usage.map(ChatEvent::Usage));
    events.push(ChatEvent::Ended);
    events
}

fn part_events(part: &Part, choice: u32, calls: &mut u32, events: &mut Vec<ChatEvent>) {
    match part {
        Part::Text { text, .. } => {
            events.extend(pieces(text).map(|text| ChatEvent::Text { choice, text, logprobs: None }));
        }
        Part::Refusal { text } => events.extend(pieces(text).map(|text| ChatEvent::Refusal { choice, text })),
        Part::Thinking { text, signature } => {
            events.extend(pieces(text).map(|text| ChatEvent::Thinking { choice, text }));
            let signature = signature.clone();
            events.extend(signature.map(|signature| ChatEvent::ThinkingSignature { choice, signature }));
        }
        Part::RedactedThinking { data } => {
            events.push(ChatEvent::RedactedThinking { choice, data: data.clone() });
        }
        Part::ToolCall(call) => {
            let index = *calls;
            *calls += 1;
            let (id, name) = (call.id.clone(), call.name.clone());
            events.push(ChatEvent::ToolCallStarted { choice, index, id, name });
            events.extend(pieces(&call.arguments).map(|json| ChatEvent::ToolCallArguments { choice, index, json }));
        }
        other => panic!("cannot be streamed: {other:?}"),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(7).map(|piece| piece.iter().collect()).collect::<Vec<String>>().into_iter()
}

/// What the encoder of the request's dialect makes of `events`.
pub fn encoded(request: &ChatRequest, events: &[ChatEvent]) -> String {
    let mut encoder = encoder(request, envelope());
    let bytes: Vec<Bytes> = events.iter().map(|event| encoder.encode(event)).collect();
    String::from_utf8(bytes.concat()).unwrap()
}

/// The events of a stream: name, if any, and data; `[DONE]` is a string.
pub fn sse(stream: &str) -> Vec<(Option<String>, Value)> {
    assert!(stream.is_empty() || stream.ends_with("\n\n"), "an event is not finished");
    stream
        .split_terminator("\n\n")
        .map(|event| {
            let (mut name, mut data) = (None, None);
            for line in event.lines() {
                match line.split_once(": ").unwrap() {
                    ("event", value) => assert!(name.replace(value.to_owned()).is_none()),
                    ("data", value) => assert!(data.replace(value).is_none()),
                    other => panic!("not a line of ours: {other:?}"),
                }
            }
            let data = data.unwrap();
            (name, if data == "[DONE]" { data.into() } else { serde_json::from_str(data).unwrap() })
        })
        .collect()
}
