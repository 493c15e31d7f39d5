//! OpenAI's chat completions.

use serde_json::json;

use super::fixtures::{
    PIXEL, answers, check_refusals, encoded, envelope, events, minimal, read, streams, wholes, with,
};
use crate::{
    domain::chat::{Dialect, StopReason},
    protocol::{parse, render},
};

const CHAT: Dialect = Dialect::ChatCompletions;

#[test]
fn every_field_has_its_place() {
    let (request, warnings) = parse(CHAT, everything()).unwrap();
    insta::assert_json_snapshot!(request);
    assert!(warnings.is_empty(), "{warnings}");
}

/// One of everything that OpenAI's library can send.
fn everything() -> serde_json::Value {
    json!({
        "model": "smart",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Use tools."}]},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
            ]},
            {"role": "assistant", "content": null, "refusal": null, "annotations": [], "reasoning_content": "Hm.",
             "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "A cat."},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a b"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "refusal": null},
        ],
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Looks.", "strict": true,
                "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}}},
            {"type": "function", "function": {"name": "wait"}, "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "custom": {"name": "sh", "format": {"type": "text"}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
        "max_completion_tokens": 500,
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "frequency_penalty": 0.1, "presence_penalty": -0.1,
        "seed": -7, "logit_bias": {"50256": -100},
        "stop": ["END", "\n\n"],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true,
            "description": "An answer.", "schema": {"type": "object"}}},
        "reasoning_effort": "low",
        "n": 2, "logprobs": true, "top_logprobs": 3,
        "user": "u-1", "metadata": {"ticket": "42"},
        "stream": true, "stream_options": {"include_usage": true},
        "brainops": {"session_id": "s-1", "recall": {"top_k": 8}, "remember": true, "cache": {"mode": "use"}},
        "store": false, "service_tier": "auto", "verbosity": "low", "modalities": ["text"],
        "audio": {"voice": "ash", "format": "wav"}, "prediction": {"type": "content", "content": "x"},
        "web_search_options": {}, "safety_identifier": "h-1", "prompt_cache_key": "k", "moderation": null,
        "a_field_of_tomorrow": {"x": 1},
    })
}

#[test]
fn what_came_before_tools_is_read_as_tools() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": null, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "Rain."},
        ],
        "functions": [{"name": "weather", "parameters": {"type": "object"}}],
        "function_call": {"name": "weather"},
    });
    let request = read(CHAT, body);
    insta::assert_json_snapshot!(request);
    let (_, answer) = answers().into_iter().find(|(name, _)| *name == "tool").unwrap();
    insta::assert_json_snapshot!(render(&request, &answer, &envelope())["choices"][0]);
    insta::assert_snapshot!(encoded(&request, &events(&answer)));
}

#[test]
fn answers_are_as_openai_writes_them() {
    insta::assert_snapshot!(wholes(&read(CHAT, minimal(CHAT))));
}

#[test]
fn streams_are_as_openai_writes_them() {
    let request = read(CHAT, with(CHAT, json!({"stream": true, "stream_options": {"include_usage": true}})));
    insta::assert_snapshot!(streams(&request));
}

#[test]
fn usage_is_streamed_only_when_asked_for() {
    let request = read(CHAT, with(CHAT, json!({"stream": true})));
    let stream = encoded(&request, &events(&answers().remove(0).1));
    assert!(!stream.contains("usage"), "{stream}");
}

#[test]
fn several_answers_and_logprobs_keep_their_place() {
    let request = read(CHAT, with(CHAT, json!({"n": 2, "stream": true})));
    let logprobs = json!({"content": [{"token": "A", "logprob": -0.1, "bytes": [65], "top_logprobs": []}]});
    let mut answer = answers().remove(0).1;
    answer.choices.push(answer.choices[0].clone());
    answer.choices[1].stop = StopReason::Length;
    answer.choices[1].logprobs = Some(logprobs.clone());
    answer.extra.insert("system_fingerprint".into(), "fp_1".into());
    answer.extra.insert("id".into(), "not-this-one".into());
    let whole = render(&request, &answer, &envelope());
    assert_eq!(whole["choices"][1]["index"], 1);
    assert_eq!(whole["choices"][1]["finish_reason"], "length");
    assert_eq!(whole["choices"][1]["logprobs"], logprobs);
    assert_eq!(
        (&whole["system_fingerprint"], &whole["id"]),
        (&json!("fp_1"), &json!(format!("chatcmpl-{}", envelope().id)))
    );
    let stream = encoded(&request, &events(&answer));
    assert!(stream.contains(r#""index":1,"delta":{"role":"assistant""#), "{stream}");
    assert_eq!(stream.matches("fp_1").count(), 1, "however long the answer is");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a mistake")]
fn the_first_mistake_is_named_by_its_path() {
    let message = |message| with(CHAT, json!({"messages": [{"role": "user", "content": "Hi"}, message]}));
    let part = |part| message(json!({"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}));
    let tool = |function| with(CHAT, json!({"tools": [{"type": "function", "function": function}]}));
    let cases = [
        (json!([]), "invalid_type", ""),
        (json!({"messages": []}), "missing_required_parameter", "model"),
        (json!({"model": "", "messages": []}), "invalid_value", "model"),
        (json!({"model": "m"}), "missing_required_parameter", "messages"),
        (json!({"model": "m", "messages": []}), "invalid_value", "messages"),
        (json!({"model": "m", "messages": "Hi"}), "invalid_type", "messages"),
        (message(json!("Hi")), "invalid_type", "messages[1]"),
        (message(json!({"content": "Hi"})), "missing_required_parameter", "messages[1].role"),
        (message(json!({"role": "boss", "content": "Hi"})), "invalid_value", "messages[1].role"),
        (message(json!({"role": "user"})), "missing_required_parameter", "messages[1].content"),
        (message(json!({"role": "user", "content": 5})), "invalid_type", "messages[1].content"),
        (message(json!({"role": "assistant"})), "missing_required_parameter", "messages[1].content"),
        (message(json!({"role": "tool", "content": "x"})), "missing_required_parameter", "messages[1].tool_call_id"),
        (message(json!({"role": "function", "name": "f", "content": "x"})), "invalid_value", "messages[1].name"),
        (
            message(json!({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]})),
            "missing_required_parameter",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (part(json!({"text": "x"})), "missing_required_parameter", "messages[1].content[1].type"),
        (part(json!({"type": "text"})), "missing_required_parameter", "messages[1].content[1].text"),
        (
            part(json!({"type": "image_url", "image_url": {"url": "ftp://example.com/a.png"}})),
            "invalid_value",
            "messages[1].content[1].image_url.url",
        ),
        (
            part(json!({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AAAA"}})),
            "invalid_image",
            "messages[1].content[1].image_url.url",
        ),
        (
            part(json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}})),
            "invalid_image",
            "messages[1].content[1].image_url.url",
        ),
        (
            part(json!({"type": "file", "file": {"filename": "a.pdf"}})),
            "missing_required_parameter",
            "messages[1].content[1].file.file_data",
        ),
        (message(json!({"role": "user", "content": "a\u{0}b"})), "invalid_value", "messages[1].content"),
        (with(CHAT, json!({"max_tokens": -5})), "invalid_value", "max_tokens"),
        (with(CHAT, json!({"max_completion_tokens": 0})), "invalid_value", "max_completion_tokens"),
        (with(CHAT, json!({"max_tokens": 1, "max_completion_tokens": 2})), "invalid_value", "max_tokens"),
        (with(CHAT, json!({"max_tokens": 1.5})), "invalid_type", "max_tokens"),
        (with(CHAT, json!({"max_tokens": u64::MAX})), "invalid_value", "max_tokens"),
        (with(CHAT, json!({"n": 0})), "invalid_value", "n"),
        (with(CHAT, json!({"n": 1_000_000})), "invalid_value", "n"),
        (with(CHAT, json!({"temperature": 2.1})), "invalid_value", "temperature"),
        (with(CHAT, json!({"temperature": "hot"})), "invalid_type", "temperature"),
        (with(CHAT, json!({"top_p": -0.1})), "invalid_value", "top_p"),
        (with(CHAT, json!({"presence_penalty": 3})), "invalid_value", "presence_penalty"),
        (with(CHAT, json!({"stop": ["a", "b", "c", "d", "e"]})), "array_above_max_length", "stop"),
        (with(CHAT, json!({"stop": ["a", ""]})), "invalid_value", "stop[1]"),
        (with(CHAT, json!({"stop": [1]})), "invalid_type", "stop[0]"),
        (with(CHAT, json!({"logit_bias": {"x": 1}})), "invalid_value", "logit_bias.x"),
        (with(CHAT, json!({"logit_bias": {"1": 101}})), "invalid_value", "logit_bias.1"),
        (with(CHAT, json!({"top_logprobs": 2})), "invalid_value", "top_logprobs"),
        (with(CHAT, json!({"logprobs": true, "top_logprobs": 21})), "invalid_value", "top_logprobs"),
        (with(CHAT, json!({"stream": "yes"})), "invalid_type", "stream"),
        (with(CHAT, json!({"store": "yes"})), "invalid_type", "store"),
        (with(CHAT, json!({"metadata": {"a": 1}})), "invalid_type", "metadata.a"),
        (with(CHAT, json!({"response_format": {"type": "xml"}})), "invalid_value", "response_format.type"),
        (
            with(CHAT, json!({"response_format": {"type": "json_schema"}})),
            "missing_required_parameter",
            "response_format.json_schema",
        ),
        (
            with(
                CHAT,
                json!({"response_format": {"type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "objekt"}}}}),
            ),
            "invalid_response_schema",
            "response_format.json_schema.schema",
        ),
        (tool(json!({"name": "a b"})), "invalid_value", "tools[0].function.name"),
        (tool(json!({"name": "a".repeat(65)})), "invalid_value", "tools[0].function.name"),
        (tool(json!({"name": "f", "parameters": "x"})), "invalid_type", "tools[0].function.parameters"),
        (
            tool(json!({"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": 3}}}})),
            "invalid_tool_schema",
            "tools[0].function.parameters",
        ),
        (
            tool(json!({"name": "f", "parameters": {"type": "string"}})),
            "invalid_tool_schema",
            "tools[0].function.parameters.type",
        ),
        (
            tool(json!({"name": "f", "parameters": {"$schema": "https://example.com/mine"}})),
            "invalid_tool_schema",
            "tools[0].function.parameters",
        ),
        (with(CHAT, json!({"tool_choice": "required"})), "invalid_value", "tool_choice"),
        (with(CHAT, json!({"tool_choice": "any"})), "invalid_value", "tool_choice"),
        (
            with(CHAT, json!({"tool_choice": {"type": "function", "function": {"name": "f"}}})),
            "invalid_value",
            "tool_choice",
        ),
        (with(CHAT, json!({"tools": [], "functions": []})), "invalid_value", "functions"),
        (with(CHAT, json!({"brainops": {"session": "s"}})), "unknown_parameter", "brainops.session"),
        (with(CHAT, json!({"brainops": {"recall": {"k": 1}}})), "unknown_parameter", "brainops.recall.k"),
        (with(CHAT, json!({"brainops": {"recall": {"top_k": 0}}})), "invalid_value", "brainops.recall.top_k"),
        (with(CHAT, json!({"brainops": {"cache": {"mode": "on"}}})), "invalid_value", "brainops.cache.mode"),
    ];
    check_refusals(CHAT, cases);
}

#[test]
fn what_has_no_place_is_named() {
    let body = with(
        CHAT,
        json!({
            "messages": [{"role": "assistant", "content": [{"type": "text", "text": "x", "mood": "sad"}],
                "audio": {"id": "audio_1"}, "annotations": [{"type": "url_citation"}], "flavour": "mint"}],
            "stream_options": {"include_usage": true, "include_obfuscation": true},
            "tools": [{"type": "function", "function": {"name": "f", "defer": true}}],
        }),
    );
    let (_, warnings) = parse(CHAT, body).unwrap();
    let expected = [
        "messages.content.mood",
        "messages.audio",
        "messages.flavour",
        "tools.function.defer",
        "stream_options.include_obfuscation",
    ];
    assert_eq!(warnings.fields(), expected);
}
