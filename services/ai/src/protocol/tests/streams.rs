//! A streamed answer and the same answer at once say the same. `assemble` does what the vendors' own libraries do with
//! a stream.

use serde_json::{Map, Value, json};

use super::fixtures::{answers, encoded, envelope, events, read, sse, with};
use crate::{
    domain::chat::{ChatRequest, Dialect},
    protocol::{ApiError, ErrorType, encoder, render},
};

/// The whole answer that a stream adds up to.
fn assemble(dialect: Dialect, stream: &str) -> Value {
    match dialect {
        Dialect::ChatCompletions => assemble_chunks(stream),
        Dialect::Responses | Dialect::Messages => todo!(),
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

fn streaming(dialect: Dialect) -> ChatRequest {
    let options = match dialect {
        Dialect::ChatCompletions => json!({"stream": true, "stream_options": {"include_usage": true}}),
        Dialect::Responses | Dialect::Messages => json!({"stream": true}),
    };
    read(dialect, with(dialect, options))
}

#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    for dialect in [Dialect::ChatCompletions] {
        let request = streaming(dialect);
        for (name, answer) in answers() {
            let stream = encoded(&request, &events(&answer));
            let whole = render(&request, &answer, &envelope());
            assert_eq!(assemble(dialect, &stream), whole, "{name} in {dialect:?}: {stream}");
        }
    }
}

#[test]
fn after_an_error_there_is_silence() {
    for dialect in [Dialect::ChatCompletions] {
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
