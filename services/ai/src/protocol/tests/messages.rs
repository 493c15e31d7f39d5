//! Anthropic's messages.

use serde_json::{Value, json};

use super::fixtures::{
    PIXEL, answers, check_refusals, encoded, envelope, events, minimal, read, streams, wholes, with,
};
use crate::{
    domain::chat::{ChatEvent, Dialect, MessageRole, Reasoning, StopReason, TokenUsage, ToolChoice},
    protocol::{ApiError, parse, parse_count_tokens, render},
};

const MESSAGES: Dialect = Dialect::Messages;

#[test]
fn every_field_has_its_place() {
    let (request, warnings) = parse(MESSAGES, everything()).unwrap();
    insta::assert_json_snapshot!(request);
    assert!(warnings.is_empty(), "{warnings}");
}

/// One of everything that Anthropic's library can send.
fn everything() -> Value {
    json!({
        "model": "smart",
        "max_tokens": 2048,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/jpg", "data": PIXEL}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"},
                 "cache_control": {"type": "ephemeral"}},
                {"type": "document", "title": "a.pdf", "citations": {"enabled": false},
                 "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"},
                 "citations": {"enabled": true}},
                {"type": "search_result", "title": "t", "source": "s", "content": []},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "c2VjcmV0"},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
                {"type": "tool_use", "id": "toolu_2", "name": "wait", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "A cat."},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true,
                 "content": [{"type": "text", "text": "No time."}], "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "And now?"},
            ]},
            {"role": "assistant", "content": "It is"},
        ],
        "tools": [
            {"name": "look", "description": "Looks.", "cache_control": {"type": "ephemeral"}, "strict": true,
             "input_schema": {"type": "object", "properties": {"at": {"type": "integer"}}}},
            {"type": "custom", "name": "wait", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        ],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": true},
        "stop_sequences": ["END", "\n\nHuman:", "a", "b", "c"],
        "temperature": 0.5, "top_k": 40, "top_p": 0.9,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}, "new": 1},
        "metadata": {"user_id": "u-1"},
        "service_tier": "auto",
        "stream": true,
        "brainops": {"remember": true},
        "container": "c-1",
        "a_field_of_tomorrow": [1],
    })
}

#[test]
fn thinking_in_all_its_forms() {
    let reasoning = |fields: Value| read(MESSAGES, with(MESSAGES, fields)).reasoning;
    let effort = |effort: &str| Some(Reasoning { effort: Some(effort.into()), ..Reasoning::default() });
    assert_eq!(reasoning(json!({})), None);
    assert_eq!(reasoning(json!({"thinking": {"type": "disabled"}})), effort("none"));
    assert_eq!(reasoning(json!({"thinking": {"type": "adaptive"}})), Some(Reasoning::default()));
    assert_eq!(reasoning(json!({"output_config": {"effort": "max"}})), effort("max"));
    let both = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}});
    assert_eq!(reasoning(both), effort("low"));
    // A kind of tomorrow is Anthropic's to understand.
    let request = read(MESSAGES, with(MESSAGES, json!({"thinking": {"type": "between_tools"}})));
    assert_eq!((request.reasoning, &request.extra["thinking"]), (None, &json!({"type": "between_tools"})));
}

#[test]
fn choices_of_tools() {
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let choice = |choice: Value| {
        let request = read(MESSAGES, with(MESSAGES, json!({"tools": tools, "tool_choice": choice})));
        (request.tool_choice.unwrap(), request.parallel_tool_calls)
    };
    assert_eq!(choice(json!({"type": "auto"})), (ToolChoice::Auto, None));
    let parallel = json!({"type": "auto", "disable_parallel_tool_use": false});
    assert_eq!(choice(parallel), (ToolChoice::Auto, Some(true)));
    assert_eq!(choice(json!({"type": "any"})), (ToolChoice::Required, None));
    assert_eq!(choice(json!({"type": "none"})), (ToolChoice::None, None));
    assert_eq!(choice(json!({"type": "tool", "name": "f"})), (ToolChoice::Function("f".into()), None));
}

#[test]
fn results_of_tools_keep_their_place_among_what_is_said() {
    let content = json!([
        {"type": "text", "text": "a"},
        {"type": "tool_result", "tool_use_id": "1"},
        {"type": "text", "text": "b"},
        {"type": "text", "text": "c"},
        {"type": "tool_result", "tool_use_id": "2"},
    ]);
    let request = read(MESSAGES, with(MESSAGES, json!({"messages": [{"role": "user", "content": content}]})));
    let shape: Vec<(MessageRole, usize)> =
        request.messages.iter().map(|message| (message.role, message.parts.len())).collect();
    let (user, tool) = (MessageRole::User, MessageRole::Tool);
    assert_eq!(shape, [(user, 1), (tool, 1), (user, 2), (tool, 1)]);
}

#[test]
fn answers_are_as_anthropic_writes_them() {
    insta::assert_snapshot!(wholes(&read(MESSAGES, minimal(MESSAGES))));
}

#[test]
fn streams_are_as_anthropic_writes_them() {
    insta::assert_snapshot!(streams(&read(MESSAGES, with(MESSAGES, json!({"stream": true})))));
}

#[test]
fn a_call_of_tools_is_one_even_if_the_provider_calls_it_an_end() {
    let request = read(MESSAGES, minimal(MESSAGES));
    let (_, mut answer) = answers().into_iter().find(|(name, _)| *name == "tool").unwrap();
    answer.choices[0].stop = StopReason::End;
    assert_eq!(render(&request, &answer, &envelope())["stop_reason"], "tool_use");
    assert!(encoded(&request, &events(&answer)).contains(r#""stop_reason":"tool_use""#));
}

#[test]
fn input_that_was_counted_before_is_in_the_first_event() {
    let request = read(MESSAGES, minimal(MESSAGES));
    let mut events = events(&answers().remove(0).1);
    events.insert(1, ChatEvent::Usage(TokenUsage { input: 30, cached_input: 10, ..TokenUsage::default() }));
    let stream = encoded(&request, &events);
    let start = stream.lines().find(|line| line.contains("message_start") && line.starts_with("data")).unwrap();
    assert!(start.contains(r#""input_tokens":20"#), "{start}");
}

#[test]
fn arguments_that_come_late_reach_their_own_block() {
    let request = read(MESSAGES, minimal(MESSAGES));
    let call = |index, id: &str| ChatEvent::ToolCallStarted { choice: 0, index, id: id.into(), name: "f".into() };
    let late = ChatEvent::ToolCallArguments { choice: 0, index: 0, json: "{}".into() };
    let stream = encoded(&request, &[call(0, "a"), call(1, "b"), late]);
    let delta = stream.lines().find(|line| line.contains("input_json_delta")).unwrap();
    assert!(delta.contains(r#""index":0"#), "{delta}");
}

#[test]
fn counting_needs_no_limit() {
    let mut body = minimal(MESSAGES);
    body.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(parse_count_tokens(body.clone()).unwrap().0.max_tokens, None);
    assert_eq!(parse(MESSAGES, body).unwrap_err().param.as_deref(), Some("max_tokens"));
}

#[test]
fn an_error_names_the_field_in_its_message() {
    let error = ApiError::invalid("invalid_value", "top_k", "Wrong.");
    let expected = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "top_k: Wrong."}});
    assert_eq!(error.body(MESSAGES), expected);
}

#[test]
fn the_first_mistake_is_named_by_its_path() {
    let block = |block| with(MESSAGES, json!({"messages": [{"role": "user", "content": [block]}]}));
    let said = |block| with(MESSAGES, json!({"messages": [{"role": "assistant", "content": [block]}]}));
    let tool = |tool| with(MESSAGES, json!({"tools": [tool]}));
    let image = |source| block(json!({"type": "image", "source": source}));
    check_refusals(
        MESSAGES,
        [
            (json!({"model": "m", "messages": []}), "invalid_value", "messages"),
            (json!({"model": "m", "max_tokens": 1}), "missing_required_parameter", "messages"),
            (with(MESSAGES, json!({"max_tokens": 0})), "invalid_value", "max_tokens"),
            (
                with(MESSAGES, json!({"messages": [{"role": "tool", "content": "x"}]})),
                "invalid_value",
                "messages[0].role",
            ),
            (
                with(MESSAGES, json!({"messages": [{"role": "user"}]})),
                "missing_required_parameter",
                "messages[0].content",
            ),
            (with(MESSAGES, json!({"system": 1})), "invalid_type", "system"),
            (with(MESSAGES, json!({"system": [{"type": "text"}]})), "missing_required_parameter", "system[0].text"),
            (block(json!("x")), "invalid_type", "messages[0].content[0]"),
            (block(json!({"text": "x"})), "missing_required_parameter", "messages[0].content[0].type"),
            (image(json!({"type": "ftp"})), "invalid_value", "messages[0].content[0].source.type"),
            (
                image(json!({"type": "base64", "media_type": "image/tiff", "data": PIXEL})),
                "invalid_image",
                "messages[0].content[0].source.data",
            ),
            (
                image(json!({"type": "base64", "media_type": "image/png", "data": "***"})),
                "invalid_image",
                "messages[0].content[0].source.data",
            ),
            (image(json!({"type": "url", "url": "file:///etc"})), "invalid_value", "messages[0].content[0].source.url"),
            (
                said(json!({"type": "tool_use", "id": "1", "name": "f", "input": "{}"})),
                "invalid_type",
                "messages[0].content[0].input",
            ),
            (
                block(json!({"type": "tool_result", "content": "x"})),
                "missing_required_parameter",
                "messages[0].content[0].tool_use_id",
            ),
            (
                block(json!({"type": "tool_result", "tool_use_id": "1",
                    "content": [{"type": "tool_result", "tool_use_id": "2"}]})),
                "invalid_value",
                "messages[0].content[0].content[0]",
            ),
            (said(json!({"type": "thinking"})), "missing_required_parameter", "messages[0].content[0].thinking"),
            (tool(json!({"name": "f"})), "missing_required_parameter", "tools[0].input_schema"),
            (tool(json!({"name": "f g", "input_schema": {}})), "invalid_value", "tools[0].name"),
            (tool(json!({"name": "f", "input_schema": {"type": 1}})), "invalid_tool_schema", "tools[0].input_schema"),
            (with(MESSAGES, json!({"tool_choice": {"type": "any"}})), "invalid_value", "tool_choice"),
            (with(MESSAGES, json!({"tool_choice": {"type": "some"}})), "invalid_value", "tool_choice.type"),
            (with(MESSAGES, json!({"temperature": 1.1})), "invalid_value", "temperature"),
            (with(MESSAGES, json!({"top_k": -1})), "invalid_value", "top_k"),
            (with(MESSAGES, json!({"stop_sequences": "x"})), "invalid_type", "stop_sequences"),
            (with(MESSAGES, json!({"stop_sequences": [""]})), "invalid_value", "stop_sequences[0]"),
            (
                with(MESSAGES, json!({"thinking": {"type": "enabled"}})),
                "missing_required_parameter",
                "thinking.budget_tokens",
            ),
            (with(MESSAGES, json!({"thinking": "on"})), "invalid_type", "thinking"),
            (
                with(MESSAGES, json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "x"}}}})),
                "invalid_response_schema",
                "output_config.format.schema",
            ),
            (with(MESSAGES, json!({"metadata": {"user_id": 7}})), "invalid_type", "metadata.user_id"),
        ],
    );
}
