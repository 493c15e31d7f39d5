//! Every adapter against the fake provider, which checks strictly what it is sent.

mod anthropic;
mod gemini;
mod misbehaviour;
mod openai;
mod outgoing;

use std::time::Duration;

use contracts::ProviderId;
use futures_util::StreamExt;
use kit::{Outbound, Secret, outbound::Policy};
use serde_json::{Map, Value, json};
use testkit::providers::{FakeProvider, Reply};
use uuid::Uuid;

use super::{Attempt, Deadlines, Failure, Providers};
use crate::domain::{
    chat::{
        BrainOps, ChatEvent, ChatRequest, Choice, Completion, Dialect, Echo, Logprobs, MediaSource, Message,
        MessageRole, Part, Reasoning, ResponseFormat, Sampling, StopReason, TokenUsage, Tool, ToolCall, ToolChoice,
    },
    provider::{Provider, ProviderKind},
    warnings::Warnings,
};

pub(super) const PATIENT: Deadlines =
    Deadlines { first_byte: Duration::from_secs(10), idle: Duration::from_secs(10), total: Duration::from_secs(10) };

/// Providers that may reach this machine through the guard as well.
pub(super) fn providers() -> Providers {
    Providers::new(Outbound::new(Policy { http_too: true, also: vec!["127.0.0.1/32".parse().unwrap()] }))
}

pub(super) fn provider(fake: &FakeProvider, kind: ProviderKind) -> Provider {
    let base_url = match kind {
        ProviderKind::Openai => fake.openai_url(),
        ProviderKind::Anthropic => fake.anthropic_url(),
        ProviderKind::Gemini => fake.gemini_url(),
    };
    Provider {
        id: ProviderId::from_uuid(Uuid::nil()),
        org: None,
        name: "fake".into(),
        kind,
        base_url: base_url.parse().unwrap(),
        key: Some(Secret::new(FakeProvider::KEY.into())),
        trusted: true,
    }
}

pub(super) fn attempt(provider: &Provider, deadlines: Deadlines) -> Attempt<'_> {
    Attempt { provider, model: "fake-1", max_output_tokens: Some(4_096), deadlines }
}

/// One user's text.
pub(super) fn ask(text: &str) -> ChatRequest {
    request(Dialect::ChatCompletions, vec![message(MessageRole::User, vec![Part::text(text)])])
}

pub(super) fn message(role: MessageRole, parts: Vec<Part>) -> Message {
    Message { role, parts, name: None }
}

pub(super) fn request(dialect: Dialect, messages: Vec<Message>) -> ChatRequest {
    ChatRequest {
        dialect,
        model: "alias".into(),
        messages,
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        max_tokens: None,
        sampling: Sampling::default(),
        stop: Vec::new(),
        response_format: None,
        reasoning: None,
        n: None,
        logprobs: None,
        user: None,
        metadata: Map::new(),
        stream: false,
        include_usage: false,
        extra: Map::new(),
        brainops: BrainOps::default(),
        echo: Echo::default(),
    }
}

/// Everything that a request can hold and every provider carries in some form.
pub(super) fn rich(dialect: Dialect) -> ChatRequest {
    let cache = Some(json!({"type": "ephemeral"}));
    let weather = |id: &str, city: &str| {
        let arguments = json!({"city": city}).to_string();
        Part::ToolCall(ToolCall { id: id.into(), name: "weather".into(), arguments })
    };
    let result = |id: &str, parts| Part::ToolResult { call_id: id.into(), parts, is_error: false, cache: None };
    let image = |source| Part::Image { source, detail: Some("low".into()), cache: None };
    let inline =
        |media_type: &str, data: &str| MediaSource::Inline { media_type: media_type.into(), data: data.into() };
    let messages = vec![
        message(MessageRole::System, vec![Part::Text { text: "Be brief.".into(), cache }]),
        message(MessageRole::Developer, vec![Part::text("Answer in English.")]),
        Message {
            role: MessageRole::User,
            parts: vec![
                Part::text("What is this?"),
                image(MediaSource::Url("https://example.com/cat.png".into())),
                image(inline("image/png", "iVBORw0KGgo=")),
                Part::File {
                    source: inline("application/pdf", "JVBERi0xLjQ="),
                    filename: Some("report.pdf".into()),
                    cache: None,
                },
            ],
            name: Some("ada".into()),
        },
        message(
            MessageRole::Assistant,
            vec![
                Part::Thinking { text: "Two cities.".into(), signature: Some("c2ln".into()) },
                Part::text("Let me see."),
                weather("call_a", "Bern"),
                weather("call_b", "Oslo"),
            ],
        ),
        message(MessageRole::Tool, vec![result("call_a", vec![Part::text("9 °C")])]),
        message(
            MessageRole::Tool,
            vec![result("call_b", vec![Part::text("see picture"), image(inline("image/jpeg", "/9j/4AAQ"))])],
        ),
        message(MessageRole::User, vec![Part::text("And tomorrow?")]),
    ];
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false,
    });
    let extra = match dialect {
        Dialect::ChatCompletions | Dialect::Responses => {
            json!({"service_tier": "flex", "prompt_cache_key": "k", "safety_identifier": "s"})
        }
        Dialect::Messages => json!({"service_tier": "auto", "inference_geo": "eu"}),
    };
    // Anthropic has no forced tool after thinking, and who speaks its dialect knows.
    let tool_choice = match dialect {
        Dialect::Messages => Some(ToolChoice::Auto),
        _ => Some(ToolChoice::Function("weather".into())),
    };
    // Nor can a model that thinks be tuned.
    let (temperature, top_p, top_k) = match dialect {
        Dialect::Messages => (1.0, 0.95, None),
        _ => (0.5, 0.9, Some(40)),
    };
    ChatRequest {
        tools: vec![
            Tool::Function {
                name: "weather".into(),
                description: Some("Weather of a city".into()),
                parameters: Some(schema.clone()),
                strict: Some(true),
                cache: Some(json!({"type": "ephemeral", "ttl": "1h"})),
            },
            Tool::Function { name: "now".into(), description: None, parameters: None, strict: None, cache: None },
        ],
        tool_choice,
        parallel_tool_calls: Some(false),
        max_tokens: Some(20_000),
        sampling: Sampling {
            temperature: Some(temperature),
            top_p: Some(top_p),
            top_k,
            frequency_penalty: Some(0.25),
            presence_penalty: Some(-0.25),
            seed: Some(7),
            logit_bias: json!({"50256": -100}).as_object().cloned().unwrap(),
        },
        stop: vec!["END".into(), "STOP".into()],
        response_format: Some(ResponseFormat::JsonSchema {
            name: "answer".into(),
            description: Some("A city".into()),
            schema,
            strict: Some(true),
        }),
        reasoning: Some(Reasoning { effort: Some("low".into()), budget_tokens: None, summary: None }),
        logprobs: Some(Logprobs { top: Some(2) }),
        user: Some("user-1".into()),
        metadata: json!({"team": "blue"}).as_object().cloned().unwrap(),
        extra: extra.as_object().cloned().unwrap(),
        ..request(dialect, messages)
    }
}

/// The answer to `request`, whole and streamed, which must be the same.
pub(super) async fn both(fake: &FakeProvider, kind: ProviderKind, reply: Reply, request: &ChatRequest) -> Completion {
    let (provider, providers) = (provider(fake, kind), providers());
    fake.next(reply.clone());
    let whole = providers.complete(attempt(&provider, PATIENT), request).await.unwrap();
    fake.next(reply);
    let stream = providers.stream(attempt(&provider, PATIENT), request).await.unwrap();
    assert_eq!(assemble(events(stream).await), whole, "a stream says the same as a whole answer");
    fake.assert_clean();
    whole
}

/// Every item of a stream, whose form is checked on the way: begins once, ends once, and nothing follows.
pub(super) async fn collect(mut stream: super::ChatStream) -> Vec<Result<ChatEvent, Failure>> {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item);
    }
    let last = items.last().unwrap();
    assert!(matches!(last, Ok(ChatEvent::Ended) | Err(_)), "never a silent end: {last:?}");
    let ends = items.iter().filter(|item| matches!(item, Ok(ChatEvent::Ended) | Err(_))).count();
    assert_eq!(ends, 1);
    assert!(matches!(items[0], Ok(ChatEvent::Started { .. })));
    items
}

/// The events of a stream that ends well.
pub(super) async fn events(stream: super::ChatStream) -> Vec<ChatEvent> {
    collect(stream).await.into_iter().map(Result::unwrap).collect()
}

/// A stream's events, put together as a whole answer.
pub(super) fn assemble(events: Vec<ChatEvent>) -> Completion {
    let mut answer = Completion {
        id: None,
        model: None,
        choices: Vec::new(),
        usage: None,
        extra: Map::new(),
        warnings: Warnings::default(),
    };
    let choice = |answer: &mut Completion, index: u32| {
        let index = usize::try_from(index).unwrap();
        while answer.choices.len() <= index {
            let stop = StopReason::Other("none yet".into());
            answer.choices.push(Choice { parts: Vec::new(), stop, stop_sequence: None, logprobs: None });
        }
        index
    };
    for event in events {
        match event {
            ChatEvent::Started { id, model, extra, warnings } => {
                answer = Completion { id, model, extra, warnings, ..answer };
            }
            ChatEvent::Text { choice: index, text, logprobs } => {
                let index = choice(&mut answer, index);
                let choice = &mut answer.choices[index];
                match choice.parts.last_mut() {
                    Some(Part::Text { text: so_far, .. }) => so_far.push_str(&text),
                    _ if text.is_empty() => {}
                    _ => choice.parts.push(Part::text(text)),
                }
                if let Some(Value::Object(more)) = logprobs {
                    match &mut choice.logprobs {
                        None => choice.logprobs = Some(more.into()),
                        Some(so_far) => {
                            let tokens = more["content"].as_array().unwrap().clone();
                            so_far["content"].as_array_mut().unwrap().extend(tokens);
                        }
                    }
                }
            }
            ChatEvent::Refusal { choice: index, text } => {
                let index = choice(&mut answer, index);
                match answer.choices[index].parts.last_mut() {
                    Some(Part::Refusal { text: so_far }) => so_far.push_str(&text),
                    _ => answer.choices[index].parts.push(Part::Refusal { text }),
                }
            }
            ChatEvent::Thinking { choice: index, text } => {
                let index = choice(&mut answer, index);
                match answer.choices[index].parts.last_mut() {
                    Some(Part::Thinking { text: so_far, .. }) => so_far.push_str(&text),
                    _ => answer.choices[index].parts.push(Part::Thinking { text, signature: None }),
                }
            }
            ChatEvent::ThinkingSignature { choice: index, signature: signed } => {
                let index = choice(&mut answer, index);
                match answer.choices[index].parts.last_mut() {
                    Some(Part::Thinking { signature, .. }) => *signature = Some(signed),
                    other => panic!("a signature of {other:?}"),
                }
            }
            ChatEvent::RedactedThinking { choice: index, data } => {
                let index = choice(&mut answer, index);
                answer.choices[index].parts.push(Part::RedactedThinking { data });
            }
            ChatEvent::ToolCallStarted { choice: at, index, id, name } => {
                let at = choice(&mut answer, at);
                let calls = answer.choices[at].parts.iter().filter(|part| matches!(part, Part::ToolCall(_))).count();
                assert_eq!(calls, usize::try_from(index).unwrap(), "calls are numbered from 0");
                answer.choices[at].parts.push(Part::ToolCall(ToolCall { id, name, arguments: String::new() }));
            }
            ChatEvent::ToolCallArguments { choice: at, index, json } => {
                let at = choice(&mut answer, at);
                let mut calls = answer.choices[at].parts.iter_mut().filter_map(|part| match part {
                    Part::ToolCall(call) => Some(call),
                    _ => None,
                });
                calls.nth(usize::try_from(index).unwrap()).unwrap().arguments.push_str(&json);
            }
            ChatEvent::ChoiceEnded { choice: index, stop, stop_sequence } => {
                let index = choice(&mut answer, index);
                answer.choices[index].stop = stop;
                answer.choices[index].stop_sequence = stop_sequence;
            }
            ChatEvent::Usage(usage) => answer.usage = Some(usage),
            ChatEvent::Ended => {}
        }
    }
    answer
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where an answer's usage does")]
pub(super) fn used(input: u64, output: u64) -> Option<TokenUsage> {
    Some(TokenUsage { input, output, ..TokenUsage::default() })
}
