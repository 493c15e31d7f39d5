//! OpenAI's responses.

use serde_json::{Value, json};

use super::fixtures::{
    PIXEL, answers, check_refusals, encoded, envelope, events, minimal, read, streams, wholes, with,
};
use crate::{
    domain::chat::{ChatEvent, Dialect, MessageRole, Part},
    protocol::{parse, render},
};

const RESPONSES: Dialect = Dialect::Responses;

#[test]
fn every_field_has_its_place() {
    let (request, warnings) = parse(RESPONSES, everything()).unwrap();
    insta::assert_json_snapshot!(request);
    assert!(warnings.is_empty(), "{warnings}");
}

#[test]
fn an_answer_repeats_its_request() {
    let request = read(RESPONSES, everything());
    let mut answer = answers().remove(0).1;
    answer.extra.insert("service_tier".into(), "default".into());
    insta::assert_json_snapshot!(render(&request, &answer, &envelope()));
}

/// One of everything that OpenAI's library can send and that is carried.
fn everything() -> Value {
    json!({
        "model": "smart",
        "instructions": "Be brief.",
        "input": [
            {"role": "developer", "content": "Use tools."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
                {"type": "input_image", "image_url": format!("data:image/png;base64,{PIXEL}"), "detail": "auto"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
                {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}],
             "encrypted_content": "sig"},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []},
            ]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{\"at\":1}",
             "status": "completed"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "sh", "input": "ls"},
            {"type": "function_call_output", "call_id": "call_1", "output": "A cat."},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "a b"}]},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "c2VjcmV0"},
            {"type": "message", "role": "assistant", "id": "msg_2", "status": "completed", "content": [
                {"type": "refusal", "refusal": "No."},
            ]},
            {"role": "user", "content": "Why?"},
        ],
        "tools": [
            {"type": "function", "name": "look", "description": "Looks.", "strict": true,
             "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}},
            {"type": "custom", "name": "sh", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            {"type": "web_search"},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "required",
            "tools": [{"type": "function", "name": "look"}, {"type": "web_search"}]},
        "parallel_tool_calls": false,
        "max_output_tokens": 500, "temperature": 0.5, "top_p": 0.9,
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "answer", "strict": true,
            "schema": {"type": "object"}}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"], "top_logprobs": 3,
        "truncation": "disabled", "background": false, "store": false,
        "user": "u-1", "metadata": {"ticket": "42"}, "stream": true,
        "safety_identifier": "h-1", "prompt_cache_key": "k", "service_tier": "auto",
        "previous_response_id": null, "conversation": null,
        "brainops": {"session_id": "s-1", "recall": true},
        "a_field_of_tomorrow": {"x": 1},
    })
}

#[test]
fn one_turn_of_the_model_is_one_message() {
    let input = json!([
        {"role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "x"},
        {"type": "function_call_output", "call_id": "2", "output": "y"},
        {"role": "assistant", "content": "Done."},
    ]);
    let request = read(RESPONSES, with(RESPONSES, json!({"input": input})));
    let shape: Vec<(MessageRole, usize)> =
        request.messages.iter().map(|message| (message.role, message.parts.len())).collect();
    let (user, tool, assistant) = (MessageRole::User, MessageRole::Tool, MessageRole::Assistant);
    assert_eq!(shape, [(user, 1), (assistant, 2), (tool, 1), (tool, 1), (assistant, 1)]);
}

#[test]
fn answers_are_as_openai_writes_them() {
    insta::assert_snapshot!(wholes(&read(RESPONSES, minimal(RESPONSES))));
}

#[test]
fn streams_are_as_openai_writes_them() {
    insta::assert_snapshot!(streams(&read(RESPONSES, with(RESPONSES, json!({"stream": true})))));
}

#[test]
fn tools_of_openai_leave_as_they_came() {
    let request = read(RESPONSES, everything());
    let whole = render(&request, &answers().remove(0).1, &envelope());
    for field in ["tools", "tool_choice"] {
        assert_eq!(whole[field], everything()[field], "{field}");
    }
    let custom = json!({"type": "custom", "id": "call_9", "custom": {"name": "sh", "input": "ls"}});
    let mut answer = answers().remove(0).1;
    answer.choices[0].parts = vec![Part::Other(custom)];
    let item = render(&request, &answer, &envelope())["output"][0].clone();
    assert_eq!(
        (&item["type"], &item["call_id"], &item["input"]),
        (&json!("custom_tool_call"), &json!("call_9"), &json!("ls"))
    );
}

#[test]
fn logprobs_are_a_list_at_their_text() {
    let request = read(RESPONSES, with(RESPONSES, json!({"top_logprobs": 1})));
    assert_eq!(request.logprobs.unwrap().top, Some(1));
    let entry = json!({"token": "A", "logprob": -0.1, "bytes": [65], "top_logprobs": []});
    let mut answer = answers().remove(0).1;
    answer.choices[0].logprobs = Some(json!({"content": [entry, entry]}));
    let whole = render(&request, &answer, &envelope());
    assert_eq!(whole["output"][0]["content"][0]["logprobs"], json!([entry, entry]));
    let text = |text: &str| {
        let logprobs = Some(json!({"content": [entry], "refusal": null}));
        ChatEvent::Text { choice: 0, text: text.into(), logprobs }
    };
    let stream = encoded(&request, &[text("A"), text("A"), ChatEvent::Ended]);
    let done = stream.lines().find(|line| line.contains("response.output_text.done") && line.starts_with("data"));
    assert_eq!(done.unwrap().matches("-0.1").count(), 2);
}

#[test]
fn arguments_that_come_late_are_in_the_answer() {
    let request = read(RESPONSES, minimal(RESPONSES));
    let call = |index, id: &str| ChatEvent::ToolCallStarted { choice: 0, index, id: id.into(), name: "f".into() };
    let late = ChatEvent::ToolCallArguments { choice: 0, index: 0, json: r#"{"late":1}"#.into() };
    let stream = encoded(&request, &[call(0, "a"), call(1, "b"), late, ChatEvent::Ended]);
    let (_, end) = super::fixtures::sse(&stream).pop().unwrap();
    assert_eq!(end["response"]["output"][0]["arguments"], r#"{"late":1}"#);
    assert_eq!(end["response"]["output"][1]["arguments"], "");
}

#[test]
fn what_a_stream_had_is_in_its_failure() {
    let request = read(RESPONSES, minimal(RESPONSES));
    let events = events(&answers().remove(0).1);
    let mut encoder = crate::protocol::encoder(&request, envelope());
    for event in &events[..3] {
        encoder.encode(event);
    }
    let error = crate::protocol::ApiError::invalid("invalid_value", "input", "Broken off.");
    insta::assert_snapshot!(String::from_utf8(encoder.fail(&error).to_vec()).unwrap());
}

#[test]
fn what_has_no_place_is_named() {
    let body = with(
        RESPONSES,
        json!({"store": true, "truncation": "auto", "max_tool_calls": 3, "include": ["file_search_call.results"],
            "reasoning": {"effort": "low", "context": "all_turns"}, "stream_options": {"include_obfuscation": false},
            "tools": [{"type": "function", "name": "f", "defer_loading": true}]}),
    );
    let (_, warnings) = parse(RESPONSES, body).unwrap();
    let expected = ["tools.defer_loading", "include", "truncation", "max_tool_calls", "store", "reasoning.context"];
    assert_eq!(warnings.fields(), expected);
}

#[test]
fn the_first_mistake_is_named_by_its_path() {
    let item = |item| with(RESPONSES, json!({"input": [{"role": "user", "content": "Hi"}, item]}));
    let part = |part| item(json!({"role": "user", "content": [part]}));
    let format = |format| with(RESPONSES, json!({"text": {"format": format}}));
    check_refusals(
        RESPONSES,
        [
            (json!({"model": "m"}), "missing_required_parameter", "input"),
            (json!({"model": "m", "input": []}), "invalid_value", "input"),
            (json!({"model": "m", "input": 1}), "invalid_type", "input"),
            (item(json!("x")), "invalid_type", "input[1]"),
            (item(json!({})), "missing_required_parameter", "input[1].role"),
            (item(json!({"role": "tool", "content": "x"})), "invalid_value", "input[1].role"),
            (item(json!({"role": "user"})), "missing_required_parameter", "input[1].content"),
            (item(json!({"id": "msg_1"})), "unsupported_parameter", "input[1]"),
            (item(json!({"type": "item_reference", "id": "msg_1"})), "unsupported_parameter", "input[1]"),
            (item(json!({"type": "web_search_call", "id": "ws_1"})), "unsupported_parameter", "input[1].type"),
            (
                item(json!({"type": "function_call", "call_id": "1", "name": "f"})),
                "missing_required_parameter",
                "input[1].arguments",
            ),
            (
                item(json!({"type": "function_call_output", "output": "x"})),
                "missing_required_parameter",
                "input[1].call_id",
            ),
            (
                item(json!({"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text"}]})),
                "missing_required_parameter",
                "input[1].summary[0].text",
            ),
            (part(json!({"type": "hologram"})), "invalid_value", "input[1].content[0].type"),
            (part(json!({"type": "input_image"})), "missing_required_parameter", "input[1].content[0].image_url"),
            (
                part(json!({"type": "input_image", "image_url": "javascript:x"})),
                "invalid_value",
                "input[1].content[0].image_url",
            ),
            (part(json!({"type": "input_file"})), "missing_required_parameter", "input[1].content[0].file_data"),
            (
                part(json!({"type": "input_file", "file_id": "1", "file_url": "https://example.com"})),
                "invalid_value",
                "input[1].content[0]",
            ),
            (
                with(RESPONSES, json!({"previous_response_id": "resp_1"})),
                "unsupported_parameter",
                "previous_response_id",
            ),
            (with(RESPONSES, json!({"conversation": "conv_1"})), "unsupported_parameter", "conversation"),
            (with(RESPONSES, json!({"background": true})), "unsupported_parameter", "background"),
            (with(RESPONSES, json!({"prompt": {"id": "pmpt_1"}})), "unsupported_parameter", "prompt"),
            (with(RESPONSES, json!({"max_output_tokens": -1})), "invalid_value", "max_output_tokens"),
            (with(RESPONSES, json!({"truncation": "middle"})), "invalid_value", "truncation"),
            (with(RESPONSES, json!({"store": 1})), "invalid_type", "store"),
            (with(RESPONSES, json!({"tools": [{"name": "f"}]})), "missing_required_parameter", "tools[0].type"),
            (with(RESPONSES, json!({"tools": [{"type": "function"}]})), "missing_required_parameter", "tools[0].name"),
            (with(RESPONSES, json!({"tool_choice": "any"})), "invalid_value", "tool_choice"),
            (with(RESPONSES, json!({"top_logprobs": 21})), "invalid_value", "top_logprobs"),
            (with(RESPONSES, json!({"include": "x"})), "invalid_type", "include"),
            (format(json!({"type": "yaml"})), "invalid_value", "text.format.type"),
            (format(json!({"type": "json_schema", "name": "a"})), "missing_required_parameter", "text.format.schema"),
            (
                format(json!({"type": "json_schema", "name": "a", "schema": {"type": 1}})),
                "invalid_response_schema",
                "text.format.schema",
            ),
        ],
    );
}
