//! A streamed answer and the same answer at once say the same. `assemble` does what the vendors' own libraries do with
//! a stream.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use super::fixtures::{DIALECTS, answers, call, completion, encoded, envelope, events, read, sse, thinking, with};
use crate::{
    domain::chat::{ChatRequest, Completion, Dialect, Part, StopReason},
    protocol::{ApiError, ErrorType, encoder, render, write::arguments_object},
};

/// The whole answer that a stream adds up to.
fn assemble(dialect: Dialect, stream: &str) -> Value {
    match dialect {
        Dialect::ChatCompletions => assemble_chunks(stream),
        Dialect::Responses => assemble_items(stream),
        Dialect::Messages => assemble_blocks(stream),
    }
}

fn push(object: &mut Value, name: &str, more: &Value) {
    let text = object[name].as_str().unwrap_or_default().to_owned() + more.as_str().unwrap();
    object[name] = text.into();
}

fn assemble_chunks(stream: &str) -> Value {
    let mut chunks = sse(stream);
    assert_eq!(chunks.pop().unwrap(), (None, "[DONE]".into()));
    let mut answer = Map::new();
    let mut choices: Vec<Value> = Vec::new();
    for (name, chunk) in chunks {
        assert_eq!((name, &chunk["object"]), (None, &json!("chat.completion.chunk")));
        for (field, value) in chunk.as_object().unwrap() {
            if field != "choices" && !value.is_null() {
                answer.insert(field.clone(), value.clone());
            }
        }
        for piece in chunk["choices"].as_array().unwrap() {
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if index == choices.len() {
                let message = json!({"refusal": null});
                choices.push(json!({"index": index, "message": message, "logprobs": null, "finish_reason": null}));
            }
            let choice = &mut choices[index];
            assert!(choice["finish_reason"].is_null(), "a choice goes on after its end");
            choice["finish_reason"] = piece["finish_reason"].clone();
            apply(&mut choice["message"], piece["delta"].as_object().unwrap());
        }
    }
    answer.insert("object".into(), "chat.completion".into());
    answer.insert("choices".into(), choices.into());
    answer.into()
}

fn apply(message: &mut Value, delta: &Map<String, Value>) {
    for (field, value) in delta {
        match field.as_str() {
            "role" => message["role"] = value.clone(),
            "content" if value.is_null() => message["content"] = Value::Null,
            "content" | "refusal" | "reasoning_content" => push(message, field, value),
            "tool_calls" => {
                let piece = &value[0];
                let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
                if message["tool_calls"].is_null() {
                    message["tool_calls"] = json!([]);
                }
                let calls = message["tool_calls"].as_array_mut().unwrap();
                if index == calls.len() {
                    let name = &piece["function"]["name"];
                    let function = json!({"name": name, "arguments": ""});
                    calls.push(json!({"id": piece["id"], "type": piece["type"], "function": function}));
                }
                push(&mut calls[index]["function"], "arguments", &piece["function"]["arguments"]);
            }
            "function_call" => {
                if let Some(name) = value.get("name") {
                    message["function_call"] = json!({"name": name});
                }
                push(&mut message["function_call"], "arguments", &value["arguments"]);
            }
            other => panic!("unknown delta {other}"),
        }
    }
}

/// The items must be what the last event repeats, and every event must have its number.
fn assemble_items(stream: &str) -> Value {
    let mut output: Vec<Value> = Vec::new();
    let mut answer = Value::Null;
    for (number, (name, event)) in sse(stream).into_iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        assert_eq!(name.as_deref(), event["type"].as_str());
        assert!(answer["status"].is_null() || answer["status"] == "in_progress", "an event after the end");
        let index = event["output_index"].as_u64().and_then(|index| usize::try_from(index).ok());
        if let (Some(index), Some(id)) = (index, event.get("item_id")) {
            assert_eq!(output[index]["id"], *id);
        }
        match name.unwrap().as_str() {
            "response.output_item.added" => {
                assert_eq!(index, Some(output.len()));
                output.push(event["item"].clone());
            }
            "response.output_item.done" => assert_eq!(output[index.unwrap()], finished(&event["item"])),
            "response.created" | "response.in_progress" | "response.completed" | "response.incomplete" => {
                answer = event["response"].clone();
            }
            other => item_event(&mut output[index.unwrap()], other, &event),
        }
    }
    let statusless: Vec<Value> = answer["output"].as_array().unwrap().iter().map(finished).collect();
    assert_eq!(output, statusless);
    answer
}

/// An item as its deltas add up to: they say neither how it ended nor by what it is signed.
fn finished(item: &Value) -> Value {
    let mut item = item.clone();
    if item.get("status").is_some() {
        item["status"] = "in_progress".into();
    }
    if item["type"] == "reasoning" && item["summary"] != json!([]) {
        item.as_object_mut().unwrap().remove("encrypted_content");
    }
    item
}

fn item_event(item: &mut Value, name: &str, event: &Value) {
    let content = usize::try_from(event["content_index"].as_u64().unwrap_or(0)).unwrap();
    match name {
        "response.content_part.added" => item["content"].as_array_mut().unwrap().push(event["part"].clone()),
        "response.output_text.delta" => push(&mut item["content"][content], "text", &event["delta"]),
        "response.refusal.delta" => push(&mut item["content"][content], "refusal", &event["delta"]),
        "response.function_call_arguments.delta" => push(item, "arguments", &event["delta"]),
        "response.reasoning_summary_part.added" => item["summary"].as_array_mut().unwrap().push(event["part"].clone()),
        "response.reasoning_summary_text.delta" => push(&mut item["summary"][0], "text", &event["delta"]),
        "response.content_part.done" => assert_eq!(item["content"][content], event["part"]),
        "response.output_text.done" => assert_eq!(item["content"][content]["text"], event["text"]),
        "response.refusal.done" => assert_eq!(item["content"][content]["refusal"], event["refusal"]),
        "response.function_call_arguments.done" => assert_eq!(item["arguments"], event["arguments"]),
        "response.reasoning_summary_text.done" => assert_eq!(item["summary"][0]["text"], event["text"]),
        "response.reasoning_summary_part.done" => assert_eq!(item["summary"][0], event["part"]),
        other => panic!("unknown event {other}"),
    }
}

fn assemble_blocks(stream: &str) -> Value {
    let mut message = Value::Null;
    let mut open: Option<u64> = None;
    let mut json = String::new();
    for (name, event) in sse(stream) {
        assert_eq!(name.as_deref(), event["type"].as_str());
        let index = event["index"].as_u64();
        match name.unwrap().as_str() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                assert!(open.is_none());
                open = index;
                json.clear();
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(index, Some(content.len() as u64));
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert_eq!(index, open);
                let block = message["content"].as_array_mut().unwrap().last_mut().unwrap();
                let delta = &event["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => push(block, "text", &delta["text"]),
                    "thinking_delta" => push(block, "thinking", &delta["thinking"]),
                    "signature_delta" => push(block, "signature", &delta["signature"]),
                    "input_json_delta" => json.push_str(delta["partial_json"].as_str().unwrap()),
                    other => panic!("unknown delta {other}"),
                }
            }
            "content_block_stop" => {
                assert_eq!(index, open.take());
                let block = message["content"].as_array_mut().unwrap().last_mut().unwrap();
                if !json.is_empty() {
                    block["input"] = arguments_object(&json);
                    json.clear();
                }
            }
            "message_delta" => {
                assert!(open.is_none());
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                message["usage"] = event["usage"].clone();
            }
            "message_stop" => assert!(!message["stop_reason"].is_null()),
            other => panic!("unknown event {other}"),
        }
    }
    message
}

fn streaming(dialect: Dialect) -> ChatRequest {
    let options = match dialect {
        Dialect::ChatCompletions => json!({"stream": true, "stream_options": {"include_usage": true}}),
        Dialect::Responses | Dialect::Messages => json!({"stream": true}),
    };
    read(dialect, with(dialect, options))
}

#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    for dialect in DIALECTS {
        let request = streaming(dialect);
        for (name, answer) in answers() {
            let stream = encoded(&request, &events(&answer));
            let whole = render(&request, &answer, &envelope());
            assert_eq!(assemble(dialect, &stream), whole, "{name} in {dialect:?}: {stream}");
        }
    }
}

/// An answer of some parts; two neighbours are never of one kind, for a stream would make them one.
fn any_answer() -> impl Strategy<Value = Completion> {
    let text = "[a-z \\u{e9}\"{}:]{1,20}";
    let part = prop_oneof![
        text.prop_map(Part::text),
        text.prop_map(|text| Part::Refusal { text }),
        (text, any::<bool>()).prop_map(|(text, signed)| thinking(&text, signed.then_some("sig"))),
        text.prop_map(|data| Part::RedactedThinking { data }),
        ("[a-z]{1,8}", "[a-z {}\":]{0,20}").prop_map(|(id, arguments)| call(&id, "tool", &arguments)),
    ];
    let stop = proptest::sample::select(vec![
        StopReason::End,
        StopReason::Length,
        StopReason::StopSequence,
        StopReason::ToolCalls,
        StopReason::ContentFilter,
        StopReason::Refusal,
        StopReason::Other("pause_turn".into()),
    ]);
    (vec(part, 0..6), stop).prop_map(|(mut parts, stop)| {
        parts.dedup_by_key(|part| std::mem::discriminant(part));
        completion(parts, stop)
    })
}

proptest! {
    #[test]
    fn any_stream_adds_up_to_its_answer(answer in any_answer()) {
        for dialect in DIALECTS {
            let request = streaming(dialect);
            let stream = encoded(&request, &events(&answer));
            prop_assert_eq!(assemble(dialect, &stream), render(&request, &answer, &envelope()), "{}", stream);
        }
    }
}

#[test]
fn after_an_error_there_is_silence() {
    for dialect in DIALECTS {
        let request = streaming(dialect);
        let (_, answer) = answers().remove(0);
        let events = events(&answer);
        for cut in 0..events.len() - 1 {
            let mut encoder = encoder(&request, envelope());
            for event in &events[..cut] {
                encoder.encode(event);
            }
            let error = ApiError {
                status: 502,
                kind: ErrorType::Server,
                code: "upstream_failed",
                message: "The provider broke off.".into(),
                param: None,
                retry_after: None,
            };
            let failed = String::from_utf8(encoder.fail(&error).to_vec()).unwrap();
            assert!(failed.contains("The provider broke off."), "{failed}");
            assert!(encoder.fail(&error).is_empty());
            assert!(events.iter().all(|event| encoder.encode(event).is_empty()));
        }
    }
}
