use serde_json::json;
use testkit::providers::{FakeProvider, Reply, embedding};

use super::*;
use crate::domain::embedding::{EmbeddingInput, EmbeddingRequest};

async fn both(fake: &FakeProvider, reply: Reply, request: &ChatRequest) -> Completion {
    super::both(fake, ProviderKind::Gemini, reply, request).await
}

#[tokio::test]
async fn a_text_comes_back_with_its_usage() {
    let fake = FakeProvider::start().await;
    let answer = both(&fake, Reply::echo(), &ask("Hello there")).await;
    assert_eq!(answer.id.as_deref(), Some("fake"));
    assert_eq!(answer.model.as_deref(), Some("fake-1"));
    assert_eq!(answer.choices[0].parts, [Part::text("You said: Hello there")]);
    assert_eq!(answer.choices[0].stop, StopReason::End);
    assert_eq!(answer.usage, used(2, 4));
    let seen = fake.requests();
    assert_eq!(seen[0].path, "/v1beta/models/fake-1:generateContent");
    assert_eq!(
        (seen[1].path.as_str(), seen[1].query.as_str()),
        ("/v1beta/models/fake-1:streamGenerateContent", "alt=sse")
    );
    assert_eq!(seen[0].body, json!({"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}));
    assert_eq!(seen[0].headers["x-goog-api-key"], FakeProvider::KEY);
    assert!(!seen[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn every_kind_of_answer_is_read() {
    let fake = FakeProvider::start().await;
    let call = |id: &str, name: &str, arguments: &str| {
        Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
    };
    let reply = Reply::tools([("weather", json!({"city": "Bern"})), ("now", json!({}))]).and_text("Well: ");
    let answer = both(&fake, reply, &ask("?")).await;
    // The signature of the first call stands before it, marked as Gemini's.
    let signed = Part::Thinking { text: String::new(), signature: Some("gemini:c2lnbmF0dXJl".into()) };
    let calls = [call("call_0", "weather", r#"{"city":"Bern"}"#), call("call_1", "now", "{}")];
    assert_eq!(answer.choices[0].parts, [&[Part::text("Well: "), signed], &calls[..]].concat());
    assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);

    let answer = both(&fake, Reply::thinking("hm, well", "Yes."), &ask("?")).await;
    let thought = Part::Thinking { text: "hm, well".into(), signature: None };
    assert_eq!(answer.choices[0].parts, [thought, Part::text("Yes.")]);
    assert_eq!(answer.usage, Some(TokenUsage { input: 1, output: 3, reasoning: 2, ..TokenUsage::default() }));

    let answer = both(&fake, Reply::text("a").cached(4, 0), &ask("one two three four five")).await;
    assert_eq!(answer.usage, Some(TokenUsage { input: 5, cached_input: 4, output: 1, ..TokenUsage::default() }));

    for (word, stop) in [
        ("MAX_TOKENS", StopReason::Length),
        ("SAFETY", StopReason::ContentFilter),
        ("LANGUAGE", StopReason::Other("language".into())),
    ] {
        assert_eq!(both(&fake, Reply::text("a").stop(word), &ask("?")).await.choices[0].stop, stop);
    }

    let request = ChatRequest { n: Some(2), logprobs: Some(Logprobs { top: Some(1) }), ..ask("?") };
    let answer = both(&fake, Reply::text("one two"), &request).await;
    assert_eq!(answer.choices.len(), 2);
    let tokens = &answer.choices[1].logprobs.as_ref().unwrap()["content"];
    assert_eq!(tokens[0]["token"], "one ");
    assert_eq!(tokens[1]["top_logprobs"][0]["logprob"], -0.25);
}

#[tokio::test]
async fn a_call_goes_back_with_its_signature() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Gemini);
    let request = rich(Dialect::Messages);
    let answer = both(&fake, Reply::tools([("weather", json!({"city": "Bern"}))]), &request).await;
    let result = Part::ToolResult {
        call_id: "call_0".into(),
        parts: vec![Part::text(r#"{"celsius": 9}"#)],
        is_error: false,
        cache: None,
    };
    let turns = |answer: Vec<Part>| {
        let question = message(MessageRole::User, vec![Part::text("?")]);
        let turns =
            vec![question, message(MessageRole::Assistant, answer), message(MessageRole::User, vec![result.clone()])];
        super::request(Dialect::Messages, turns)
    };
    let parts = answer.choices[0].parts.clone();
    let attempted = Attempt { model: "gemini-3-pro", ..attempt(&provider, PATIENT) };
    providers().complete(attempted, &turns(parts.clone())).await.unwrap();
    let seen = fake.last_request().body;
    assert_eq!(seen["contents"][1]["parts"][0]["thoughtSignature"], "c2lnbmF0dXJl");
    let response = json!({"id": "call_0", "name": "weather", "response": {"celsius": 9}});
    assert_eq!(seen["contents"][2]["parts"][0]["functionResponse"], response);

    // A caller's protocol may have no place for it.
    let lost: Vec<_> = parts.into_iter().filter(|part| matches!(part, Part::ToolCall(_))).collect();
    providers().complete(attempted, &turns(lost.clone())).await.unwrap();
    let stand_in = "skip_thought_signature_validator";
    assert_eq!(fake.last_request().body["contents"][1]["parts"][0]["thoughtSignature"], stand_in);
    let old = Attempt { model: "gemini-2.5-flash", ..attempted };
    providers().complete(old, &turns(lost)).await.unwrap();
    assert_eq!(fake.last_request().body["contents"][1]["parts"][0].get("thoughtSignature"), None);
    fake.assert_clean();
}

#[tokio::test]
async fn thinking_is_set_as_the_generation_has_it() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Gemini);
    let reasoning = |effort: Option<&str>, budget_tokens| {
        Some(Reasoning { effort: effort.map(Into::into), budget_tokens, summary: None })
    };
    for (model, reasoning, config) in [
        ("gemini-3-pro", reasoning(Some("low"), None), json!({"thinkingLevel": "LOW", "includeThoughts": true})),
        ("gemini-3-pro", reasoning(None, Some(900)), json!({"thinkingBudget": 900, "includeThoughts": true})),
        ("gemini-3-pro", reasoning(None, None), json!({"includeThoughts": true})),
        (
            "models/gemini-2.5-pro",
            reasoning(Some("medium"), None),
            json!({"thinkingBudget": 8_192, "includeThoughts": true}),
        ),
        ("gemini-2.5-flash", reasoning(Some("none"), None), json!({"thinkingBudget": 0, "includeThoughts": false})),
    ] {
        let attempt = Attempt { model, ..attempt(&provider, PATIENT) };
        providers().complete(attempt, &ChatRequest { reasoning, ..ask("?") }).await.unwrap();
        assert_eq!(fake.last_request().body["generationConfig"]["thinkingConfig"], config);
    }
    fake.assert_clean();
}

#[tokio::test]
async fn a_blocked_prompt_is_no_answer() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Gemini);
    let blocked = r#"{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1}}"#;
    fake.next(Reply::raw("application/json", blocked));
    let refused = providers().complete(attempt(&provider, PATIENT), &ask("?")).await.unwrap_err();
    assert_eq!(refused.kind, super::super::Kind::ContentFiltered);
    fake.next(Reply::raw("text/event-stream", format!("data: {blocked}\n\n")));
    let refused = providers().stream(attempt(&provider, PATIENT), &ask("?")).await.err().unwrap();
    assert_eq!(refused.kind, super::super::Kind::ContentFiltered);
}

#[tokio::test]
async fn a_name_cannot_leave_its_place_in_the_path() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Gemini);
    for model in ["../../v1/models", "a/b", "", "..", "%2e%2e"] {
        let attempt = Attempt { model, ..attempt(&provider, PATIENT) };
        let refused = providers().complete(attempt, &ask("?")).await.unwrap_err();
        assert_eq!(refused.kind, super::super::Kind::ModelNotFound);
    }
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn vectors_come_in_the_order_of_their_inputs() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Gemini);
    let request = EmbeddingRequest {
        model: "alias".into(),
        inputs: vec![EmbeddingInput::Text("one two".into()), EmbeddingInput::Text("three".into())],
        dimensions: Some(12),
        user: Some("user-1".into()),
        extra: json!({"truncate": true}).as_object().cloned().unwrap(),
    };
    let answer = providers().embed(attempt(&provider, PATIENT), &request).await.unwrap();
    assert_eq!(answer.vectors, [embedding("one two", 12), embedding("three", 12)]);
    assert_eq!(answer.usage, used(3, 0));
    assert_eq!(answer.warnings.fields(), ["user", "truncate"]);
    let tokens = EmbeddingRequest { inputs: vec![EmbeddingInput::Tokens(vec![1])], ..request };
    let refused = providers().embed(attempt(&provider, PATIENT), &tokens).await.unwrap_err();
    assert_eq!(refused.kind, super::super::Kind::Unsupported);
    fake.assert_clean();
}

#[tokio::test]
async fn models_are_listed() {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, ProviderKind::Gemini);
    assert_eq!(providers().models(&provider, PATIENT.total).await.unwrap(), ["gemini-fake", "gemini-fake-mini"]);
    fake.assert_clean();
}
