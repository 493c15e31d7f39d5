use serde_json::json;
use testkit::providers::{FakeProvider, Reply, embedding};

use super::*;
use crate::domain::embedding::{EmbeddingInput, EmbeddingRequest};

async fn both(fake: &FakeProvider, reply: Reply, request: &ChatRequest) -> Completion {
    super::both(fake, ProviderKind::Openai, reply, request).await
}

#[tokio::test]
async fn a_text_comes_back_with_its_usage() {
    let fake = FakeProvider::start().await;
    let answer = both(&fake, Reply::echo(), &ask("Hello there")).await;
    assert_eq!(answer.id.as_deref(), Some("chatcmpl-fake"));
    assert_eq!(answer.model.as_deref(), Some("fake-1"));
    assert_eq!(answer.choices[0].parts, [Part::text("You said: Hello there")]);
    assert_eq!(answer.choices[0].stop, StopReason::End);
    assert_eq!(answer.usage, used(2, 4));
    assert_eq!(json!(answer.extra), json!({"service_tier": "default", "system_fingerprint": "fp_fake"}));
    assert!(answer.warnings.is_empty());
    let seen = fake.requests();
    assert_eq!(seen[0].body, json!({"model": "fake-1", "messages": [{"role": "user", "content": "Hello there"}]}));
    assert_eq!(seen[1].body["stream_options"], json!({"include_usage": true}));
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {}", FakeProvider::KEY));
}

#[tokio::test]
async fn every_kind_of_answer_is_read() {
    let fake = FakeProvider::start().await;
    let call = |id: &str, name: &str, arguments: Value| {
        Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.to_string() })
    };
    let reply =
        Reply::tools([("weather", json!({"city": "Bern", "days": 2})), ("now", json!({}))]).and_text("Let me see. ");
    let answer = both(&fake, reply, &ask("?")).await;
    assert_eq!(
        answer.choices[0].parts,
        [
            Part::text("Let me see. "),
            call("call_0", "weather", json!({"city": "Bern", "days": 2})),
            call("call_1", "now", json!({}))
        ]
    );
    assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);

    let answer = both(&fake, Reply::thinking("hm, well", "Yes."), &ask("?")).await;
    let thought = Part::Thinking { text: "hm, well".into(), signature: None };
    assert_eq!(answer.choices[0].parts, [thought, Part::text("Yes.")]);
    assert_eq!(answer.usage, Some(TokenUsage { input: 1, output: 3, reasoning: 2, ..TokenUsage::default() }));

    let answer = both(&fake, Reply::refusal("I will not."), &ask("?")).await;
    assert_eq!(answer.choices[0].parts, [Part::Refusal { text: "I will not.".into() }]);

    let answer = both(&fake, Reply::text("a b c").cached(1, 0), &ask("x y")).await;
    assert_eq!(answer.usage.map(|usage| usage.cached_input), Some(1));

    for (word, stop) in [
        ("length", StopReason::Length),
        ("content_filter", StopReason::ContentFilter),
        ("new_reason", StopReason::Other("new_reason".into())),
    ] {
        assert_eq!(both(&fake, Reply::text("a").stop(word), &ask("?")).await.choices[0].stop, stop);
    }
    // Some servers say `stop` where tools were called.
    let reply = Reply::tools([("now", json!({}))]).stop("stop");
    assert_eq!(both(&fake, reply, &ask("?")).await.choices[0].stop, StopReason::ToolCalls);
}

#[tokio::test]
async fn several_answers_and_probabilities_keep_their_places() {
    let fake = FakeProvider::start().await;
    let request = ChatRequest { n: Some(3), logprobs: Some(Logprobs { top: Some(1) }), ..ask("?") };
    let answer = both(&fake, Reply::text("one two"), &request).await;
    assert_eq!(answer.choices.len(), 3);
    for choice in &answer.choices {
        assert_eq!(choice.parts, [Part::text("one two")]);
        let tokens = choice.logprobs.as_ref().unwrap()["content"].as_array().unwrap().clone();
        assert_eq!(tokens.iter().map(|token| token["token"].as_str().unwrap()).collect::<Vec<_>>(), ["one ", "two"]);
        assert_eq!(tokens[0]["top_logprobs"].as_array().unwrap().len(), 1);
    }
    assert_eq!(answer.usage, used(1, 6));
}

#[tokio::test]
async fn vectors_come_in_the_order_of_their_inputs() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Openai);
    let request = EmbeddingRequest {
        model: "alias".into(),
        inputs: vec![EmbeddingInput::Text("one two".into()), EmbeddingInput::Text("three".into())],
        dimensions: Some(12),
        user: Some("user-1".into()),
        extra: Map::new(),
    };
    let answer = providers().embed(attempt(&provider, PATIENT), &request).await.unwrap();
    assert_eq!(answer.vectors, [embedding("one two", 12), embedding("three", 12)]);
    assert_eq!(answer.usage, used(3, 0));

    let tokens = EmbeddingRequest { inputs: vec![EmbeddingInput::Tokens(vec![1, 2, 3])], ..request.clone() };
    let answer = providers().embed(attempt(&provider, PATIENT), &tokens).await.unwrap();
    assert_eq!(answer.vectors, [embedding("[1,2,3]", 12)]);

    fake.next(Reply::raw("application/json", r#"{"data": [{"index": 0, "embedding": [0.5]}]}"#));
    let short = providers().embed(attempt(&provider, PATIENT), &request).await.unwrap_err();
    assert_eq!(short.kind, super::super::Kind::Malformed, "two inputs and one vector");
    fake.assert_clean();
}

#[tokio::test]
async fn what_another_protocol_has_is_left_out_or_refused() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Openai);
    let turns = |dialect, part: Part| {
        let answer = message(MessageRole::Assistant, vec![Part::text("Well."), part]);
        request(dialect, vec![message(MessageRole::User, vec![Part::text("?")]), answer])
    };
    let item = || Part::Other(json!({"type": "reasoning", "encrypted_content": "b3Bh"}));
    let custom = json!({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select"}});
    for dialect in [Dialect::Responses, Dialect::Messages] {
        let request = ChatRequest { tools: vec![Tool::Other(json!({"type": "web_search"}))], ..turns(dialect, item()) };
        let answer = providers().complete(attempt(&provider, PATIENT), &request).await.unwrap();
        assert_eq!(answer.warnings.fields(), ["messages.content.reasoning", "tools.web_search"]);
        let hologram = vec![Part::Other(json!({"type": "hologram"}))];
        let request = super::request(dialect, vec![message(MessageRole::User, hologram)]);
        let refused = providers().complete(attempt(&provider, PATIENT), &request).await.unwrap_err();
        assert_eq!(refused.kind, super::super::Kind::Unsupported);
    }
    for dialect in [Dialect::ChatCompletions, Dialect::Responses] {
        let request = turns(dialect, Part::Other(custom.clone()));
        providers().complete(attempt(&provider, PATIENT), &request).await.unwrap();
        assert_eq!(fake.last_request().body["messages"][1]["tool_calls"], json!([custom]));
    }
    fake.assert_clean();
}

#[tokio::test]
async fn models_are_listed() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Openai);
    assert_eq!(providers().models(&provider, PATIENT.total).await.unwrap(), ["gpt-fake", "gpt-fake-mini"]);
    fake.assert_clean();
}

#[tokio::test]
async fn only_who_is_trusted_sees_our_traces() {
    use kit::{Environment, config::TelemetrySettings, telemetry};
    use tracing::Instrument as _;

    let settings = TelemetrySettings { log: "error".into(), otlp_endpoint: None, trace_ratio: 1.0, sentry_dsn: None };
    telemetry::init(&settings, "ai", Environment::Development);
    let fake = FakeProvider::start().await;
    for trusted in [true, false] {
        let provider = Provider { trusted, ..provider(&fake, ProviderKind::Openai) };
        let call = async { providers().complete(attempt(&provider, PATIENT), &ask("?")).await.unwrap() };
        call.instrument(tracing::error_span!("a call")).await;
        assert_eq!(fake.last_request().headers.contains_key("traceparent"), trusted);
    }
}

/// A stream of these chunks.
fn chunks(chunks: impl IntoIterator<Item = Value>) -> Reply {
    let mut body: String = chunks.into_iter().fold(String::new(), |body, chunk| body + &format!("data: {chunk}\n\n"));
    body.push_str("data: [DONE]\n\n");
    Reply::raw("text/event-stream", body)
}

#[tokio::test]
async fn what_no_protocol_tells_of_is_kept_while_it_is_small() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Openai);
    let custom =
        |bytes: usize| json!({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "x".repeat(bytes)}});
    let message = json!({"content": "Hi", "tool_calls": [custom(256 << 10), custom(100)]});
    let mut document = json!({"choices": [{"message": message, "finish_reason": "stop"}], "system_fingerprint": "fp"});
    document["blob"] = json!([["x".repeat(16 << 10)]]);
    document["another"] = json!("x".repeat(15 << 10));
    fake.next(Reply::raw("application/json", document.to_string()));
    let mut first = document.clone();
    first["choices"] = json!([{"delta": {"content": "Hi"}, "finish_reason": "stop"}]);
    let whole = providers().complete(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
    assert_eq!(whole.choices[0].parts, [Part::text("Hi"), Part::Other(custom(100))]);
    fake.next(chunks([first]));
    let stream = providers().stream(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
    let streamed = assemble(events(stream).await);
    for answer in [&whole, &streamed] {
        assert_eq!(answer.extra.len(), 2);
        assert!(answer.extra.contains_key("another") && answer.extra.contains_key("system_fingerprint"));
    }
    assert_eq!(whole.warnings.fields(), ["unknown_fields", "choices.message.tool_calls"]);
    assert_eq!(streamed.warnings.fields(), ["unknown_fields"]);
}

#[tokio::test]
async fn more_choices_or_calls_than_were_asked_for_are_malformed() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Openai);
    let choices = |count: u32, name: &str| -> Vec<Value> {
        (0..count).map(|index| json!({"index": index, name: {"content": "Hi"}, "finish_reason": "stop"})).collect()
    };
    let calls = |count: u32| -> Vec<Value> {
        let function = json!({"name": "now", "arguments": "{}"});
        (0..count).map(|index| json!({"index": index, "id": "c", "type": "function", "function": function})).collect()
    };
    let called = |count, name: &str| vec![json!({name: {"tool_calls": calls(count)}, "finish_reason": "stop"})];
    for (n, good, bad) in [
        (Some(2), [choices(2, "message"), choices(2, "delta")], [choices(3, "message"), choices(3, "delta")]),
        (None, [choices(8, "message"), choices(8, "delta")], [choices(9, "message"), choices(9, "delta")]),
        (None, [called(128, "message"), called(128, "delta")], [called(129, "message"), called(129, "delta")]),
    ] {
        let request = ChatRequest { n, ..ask("?") };
        let whole = |choices: &[Value]| Reply::raw("application/json", json!({"choices": choices}).to_string());
        // Each choice in a chunk of its own.
        let pieces = |choices: &[Value]| chunks(choices.iter().map(|choice| json!({"choices": [choice]})));
        let kind = |result: Result<(), Failure>| result.err().map(|failure| failure.kind);
        for ([document, stream], expected) in [(good, None), (bad, Some(super::super::Kind::Malformed))] {
            fake.next(whole(&document));
            let answer = providers().complete(attempt(&provider, PATIENT), &request).await;
            assert_eq!(kind(answer.map(drop)), expected);
            fake.next(pieces(&stream));
            let answer = providers().stream(attempt(&provider, PATIENT), &request).await;
            let last = match answer {
                Ok(stream) => collect(stream).await.pop().unwrap().map(drop),
                Err(failure) => Err(failure),
            };
            assert_eq!(kind(last), expected);
        }
    }
}
