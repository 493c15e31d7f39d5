use serde_json::json;
use testkit::providers::{FakeProvider, Reply};

use super::*;

async fn both(fake: &FakeProvider, reply: Reply, request: &ChatRequest) -> Completion {
    super::both(fake, ProviderKind::Anthropic, reply, request).await
}

#[tokio::test]
async fn a_text_comes_back_with_its_usage() {
    let fake = FakeProvider::start().await;
    let answer = both(&fake, Reply::echo(), &ask("Hello there")).await;
    assert_eq!(answer.id.as_deref(), Some("msg_fake"));
    assert_eq!(answer.model.as_deref(), Some("fake-1"));
    assert_eq!(answer.choices[0].parts, [Part::text("You said: Hello there")]);
    assert_eq!(answer.choices[0].stop, StopReason::End);
    assert_eq!(answer.usage, used(2, 4));
    let seen = fake.requests();
    let content = json!([{"type": "text", "text": "Hello there"}]);
    assert_eq!(
        seen[0].body,
        json!({"model": "fake-1", "max_tokens": 4_096, "messages": [{"role": "user", "content": content}]})
    );
    assert_eq!(seen[0].headers["x-api-key"], FakeProvider::KEY);
    assert_eq!(seen[0].headers["anthropic-version"], "2026-10-21");
}

#[tokio::test]
async fn sampling_is_sent_by_the_version_that_has_it() {
    let fake = FakeProvider::start().await;
    let sampling = Sampling { temperature: Some(0.5), ..Sampling::default() };
    both(&fake, Reply::echo(), &ChatRequest { sampling, ..ask("?") }).await;
    assert_eq!(fake.last_request().headers["anthropic-version"], "2023-06-01");
}

#[tokio::test]
async fn a_model_that_thinks_is_not_tuned() {
    let fake = FakeProvider::start().await;
    let sampling = Sampling { temperature: Some(1.5), top_p: Some(0.5), ..Sampling::default() };
    let request = ChatRequest { sampling, ..ask("?") };
    let answer = both(&fake, Reply::echo(), &request).await;
    assert_eq!(fake.last_request().body["temperature"], 1.0);
    assert_eq!(answer.warnings.fields(), ["temperature"]);

    let reasoning = |effort: Option<&str>, budget_tokens| {
        Some(Reasoning { effort: effort.map(Into::into), budget_tokens, summary: None })
    };
    for (reasoning, thinking, config) in [
        (reasoning(Some("minimal"), None), json!({"type": "adaptive"}), json!({"effort": "low"})),
        (reasoning(Some("max"), None), json!({"type": "adaptive"}), json!({"effort": "max"})),
        (reasoning(None, None), json!({"type": "adaptive"}), Value::Null),
        (reasoning(None, Some(10)), json!({"type": "enabled", "budget_tokens": 1_024}), Value::Null),
        (reasoning(Some("none"), None), json!({"type": "disabled"}), Value::Null),
    ] {
        let answer = both(&fake, Reply::echo(), &ChatRequest { reasoning, ..request.clone() }).await;
        let body = fake.last_request().body;
        assert_eq!((&body["thinking"], &body["output_config"]), (&thinking, &config));
        let tuned = thinking["type"] == "disabled";
        assert_eq!(body.get("temperature").is_some(), tuned);
        assert_eq!(answer.warnings.fields(), if tuned { &["temperature"][..] } else { &["temperature", "top_p"] });
    }
}

#[tokio::test]
async fn every_kind_of_answer_is_read() {
    let fake = FakeProvider::start().await;
    let call = |id: &str, name: &str, arguments: &str| {
        Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
    };
    let reply = Reply::tools([("weather", json!({"city": "Bern", "days": 2})), ("now", json!({}))]).and_text("Well: ");
    let answer = both(&fake, reply, &ask("?")).await;
    let calls = [call("call_0", "weather", r#"{"city":"Bern","days":2}"#), call("call_1", "now", "{}")];
    assert_eq!(answer.choices[0].parts, [&[Part::text("Well: ")], &calls[..]].concat());
    assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);

    let answer = both(&fake, Reply::thinking("hm, well", "Yes.").and_redacted_thinking("b3Bh"), &ask("?")).await;
    let thought = Part::Thinking { text: "hm, well".into(), signature: Some("c2lnbmF0dXJl".into()) };
    let hidden = Part::RedactedThinking { data: "b3Bh".into() };
    assert_eq!(answer.choices[0].parts, [thought, hidden, Part::text("Yes.")]);
    assert_eq!(answer.usage, Some(TokenUsage { input: 1, output: 3, reasoning: 2, ..TokenUsage::default() }));

    // Cached input is counted apart by Anthropic, and together by everybody else.
    let answer = both(&fake, Reply::text("a").cached(3, 2), &ask("one two three four five six")).await;
    let usage = TokenUsage { input: 6, cached_input: 3, cache_write: 2, output: 1, reasoning: 0 };
    assert_eq!(answer.usage, Some(usage));

    let answer = both(&fake, Reply::text("a").stop_sequence("END"), &ask("?")).await;
    assert_eq!(answer.choices[0].stop, StopReason::StopSequence);
    assert_eq!(answer.choices[0].stop_sequence.as_deref(), Some("END"));

    for (word, stop) in [
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("refusal", StopReason::Refusal),
        ("pause_turn", StopReason::Other("pause_turn".into())),
    ] {
        assert_eq!(both(&fake, Reply::text("a").stop(word), &ask("?")).await.choices[0].stop, stop);
    }
}

#[tokio::test]
async fn what_it_cannot_do_is_refused_before_it_is_asked() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Anthropic);
    let part = |part| request(Dialect::ChatCompletions, vec![message(MessageRole::User, vec![part])]);
    let audio = Part::Audio { data: "UklGRg==".into(), format: "wav".into() };
    let word = MediaSource::Inline { media_type: "application/msword".into(), data: "0M8R4A==".into() };
    for request in [
        ChatRequest { n: Some(2), ..ask("?") },
        part(audio),
        part(Part::File { source: word, filename: None, cache: None }),
        part(Part::Other(json!({"type": "hologram"}))),
    ] {
        let refused = providers().complete(attempt(&provider, PATIENT), &request).await.unwrap_err();
        assert_eq!(refused.kind, super::super::Kind::Unsupported);
    }
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn models_are_listed() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Anthropic);
    assert_eq!(providers().models(&provider, PATIENT.total).await.unwrap(), ["claude-fake", "claude-fake-mini"]);
    fake.assert_clean();
}

#[tokio::test]
async fn what_no_protocol_tells_of_is_kept_while_it_is_small() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Anthropic);
    let block = |bytes: usize| json!({"type": "hologram", "data": "x".repeat(bytes)});
    let mut message = json!({"type": "message", "role": "assistant", "container": {"id": "c-1"}});
    message["content"] = json!([{"type": "text", "text": "Hi"}, block(256 << 10), block(100)]);
    message["blob"] = json!([["x".repeat(16 << 10)]]);
    fake.next(Reply::raw("application/json", message.to_string()));
    let whole = providers().complete(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
    assert_eq!(whole.choices[0].parts, [Part::text("Hi"), Part::Other(block(100))]);
    assert_eq!(json!(whole.extra), json!({"container": {"id": "c-1"}}));
    assert_eq!(whole.warnings.fields(), ["content", "unknown_fields"]);

    let events = [json!({"type": "message_start", "message": message}), json!({"type": "message_stop"})];
    let body: String = events.iter().fold(String::new(), |body, event| body + &format!("data: {event}\n\n"));
    fake.next(Reply::raw("text/event-stream", body));
    let stream = providers().stream(attempt(&provider, PATIENT), &ask("?")).await.unwrap();
    let streamed = assemble(super::events(stream).await);
    assert_eq!(json!(streamed.extra), json!({"container": {"id": "c-1"}}));
    assert_eq!(streamed.warnings.fields(), ["unknown_fields"]);
}
