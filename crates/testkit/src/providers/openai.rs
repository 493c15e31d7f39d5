//! OpenAI's chat completions, embeddings and models, as published: <https://platform.openai.com/docs/api-reference>.

use std::sync::LazyLock;

use async_openai::types::{chat::CreateChatCompletionRequest, embeddings::CreateEmbeddingRequest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Seen,
    render::{Operation, data, embedding, input_tokens, pieces, tokens},
    reply::{Answer, Error},
    shape::{
        Field,
        Shape::{self, Any, Bool, Either, Int, Map, Num, Object, Tagged, Text, Word},
        list, may, must, or_null, some,
    },
};

static CHAT: LazyLock<Shape> = LazyLock::new(|| {
    Object(vec![
        must("model", Text),
        must("messages", some(message())),
        may("audio", or_null(Object(vec![must("voice", Any), must("format", Text)]))),
        may("frequency_penalty", or_null(Num(-2.0, 2.0))),
        may("logit_bias", or_null(Map(Box::new(Int(-100, 100))))),
        may("logprobs", or_null(Bool)),
        may("max_completion_tokens", or_null(Int(1, i64::MAX))),
        may("max_tokens", or_null(Int(1, i64::MAX))),
        may("metadata", or_null(Map(Box::new(Text)))),
        may("modalities", or_null(list(Word(&["text", "audio"])))),
        may("n", or_null(Int(1, 128))),
        may("parallel_tool_calls", Bool),
        may("prediction", or_null(Object(vec![must("type", Word(&["content"])), must("content", Any)]))),
        may("presence_penalty", or_null(Num(-2.0, 2.0))),
        may("prompt_cache_key", or_null(Text)),
        may("prompt_cache_options", Any),
        may("prompt_cache_retention", or_null(Word(&["in_memory", "24h"]))),
        may("reasoning_effort", or_null(Word(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]))),
        may("response_format", response_format()),
        may("safety_identifier", or_null(Text)),
        may("seed", or_null(Int(i64::MIN, i64::MAX))),
        may("service_tier", or_null(Word(&["auto", "default", "flex", "scale", "priority", "fast"]))),
        may("stop", or_null(Either(vec![Text, Shape::List(Box::new(Text), 1, 4)]))),
        may("store", or_null(Bool)),
        may("stream", or_null(Bool)),
        may("stream_options", or_null(Object(vec![may("include_usage", Bool), may("include_obfuscation", Bool)]))),
        may("temperature", or_null(Num(0.0, 2.0))),
        may("tool_choice", tool_choice()),
        may("tools", some(tool())),
        // Not OpenAI's: what vLLM, llama.cpp and Ollama add. A compatible server takes it.
        may("top_k", Int(-1, i64::MAX)),
        may("top_logprobs", or_null(Int(0, 20))),
        may("top_p", or_null(Num(0.0, 1.0))),
        may("user", Text),
        may("verbosity", or_null(Word(&["low", "medium", "high"]))),
        may("web_search_options", Any),
    ])
});

static EMBEDDINGS: LazyLock<Shape> = LazyLock::new(|| {
    let token_ids = || Shape::List(Box::new(Int(0, 1 << 20)), 1, 8_192);
    Object(vec![
        must("model", Text),
        must(
            "input",
            Either(vec![
                Text,
                Shape::List(Box::new(Text), 1, 2_048),
                token_ids(),
                Shape::List(Box::new(token_ids()), 1, 2_048),
            ]),
        ),
        may("dimensions", Int(1, 65_536)),
        may("encoding_format", Word(&["float", "base64"])),
        may("user", Text),
    ])
});

fn message() -> Shape {
    let text_parts = || Either(vec![Text, some(Tagged("type", vec![text_part()]))]);
    let name = || may("name", Text);
    Tagged(
        "role",
        vec![
            ("developer", vec![must("content", text_parts()), name()]),
            ("system", vec![must("content", text_parts()), name()]),
            ("user", vec![must("content", Either(vec![Text, some(user_part())])), name()]),
            (
                "assistant",
                vec![
                    may(
                        "content",
                        or_null(Either(vec![Text, some(Tagged("type", vec![text_part(), refusal_part()]))])),
                    ),
                    may("refusal", or_null(Text)),
                    may("audio", or_null(Object(vec![must("id", Text)]))),
                    may("tool_calls", some(tool_call())),
                    name(),
                ],
            ),
            ("tool", vec![must("content", text_parts()), must("tool_call_id", Text)]),
        ],
    )
}

fn text_part() -> (&'static str, Vec<Field>) {
    ("text", vec![must("text", Text), may("prompt_cache_breakpoint", Any)])
}

fn refusal_part() -> (&'static str, Vec<Field>) {
    ("refusal", vec![must("refusal", Text)])
}

fn user_part() -> Shape {
    let detail = may("detail", Word(&["auto", "low", "high", "original"]));
    Tagged(
        "type",
        vec![
            text_part(),
            ("image_url", vec![must("image_url", Object(vec![must("url", Text), detail]))]),
            (
                "input_audio",
                vec![must("input_audio", Object(vec![must("data", Text), must("format", Word(&["wav", "mp3"]))]))],
            ),
            (
                "file",
                vec![must("file", Object(vec![may("file_data", Text), may("file_id", Text), may("filename", Text)]))],
            ),
        ],
    )
}

fn tool_call() -> Shape {
    Tagged(
        "type",
        vec![
            (
                "function",
                vec![must("id", Text), must("function", Object(vec![must("name", Text), must("arguments", Text)]))],
            ),
            ("custom", vec![must("id", Text), must("custom", Object(vec![must("name", Text), must("input", Text)]))]),
        ],
    )
}

fn tool() -> Shape {
    let function = Object(vec![
        must("name", Text),
        may("description", Text),
        may("parameters", Map(Box::new(Any))),
        may("strict", or_null(Bool)),
    ]);
    Tagged("type", vec![("function", vec![must("function", function)]), ("custom", vec![must("custom", Any)])])
}

fn tool_choice() -> Shape {
    Either(vec![
        Word(&["none", "auto", "required"]),
        Tagged(
            "type",
            vec![
                ("function", vec![must("function", Object(vec![must("name", Text)]))]),
                ("custom", vec![must("custom", Object(vec![must("name", Text)]))]),
                ("allowed_tools", vec![must("allowed_tools", Any)]),
            ],
        ),
    ])
}

fn response_format() -> Shape {
    let schema = Object(vec![
        must("name", Text),
        may("description", Text),
        may("schema", Map(Box::new(Any))),
        may("strict", or_null(Bool)),
    ]);
    Tagged("type", vec![("text", vec![]), ("json_object", vec![]), ("json_schema", vec![must("json_schema", schema)])])
}

pub(super) fn violations(operation: Operation, seen: &Seen) -> Vec<String> {
    match operation {
        Operation::Chat { .. } => chat_violations(&seen.body),
        Operation::Embeddings => {
            let mut wrong = EMBEDDINGS.violations(&seen.body);
            wrong.extend(typed::<CreateEmbeddingRequest>(&seen.body));
            wrong
        }
        Operation::Models => Vec::new(),
        Operation::Unknown => vec!["unknown path".into()],
    }
}

/// What is wrong with the body of a chat completion, by the tables above, by `async-openai`'s types, and by the rules
/// between fields.
pub(super) fn chat_violations(body: &Value) -> Vec<String> {
    let mut wrong = CHAT.violations(body);
    let calls =
        body["messages"].as_array().into_iter().flatten().filter_map(|message| message["tool_calls"].as_array());
    // Its type of a custom tool's call names the field `custom_tool`, which OpenAI calls `custom`.
    if calls.flatten().all(|call| call["type"] == "function") {
        wrong.extend(typed::<CreateChatCompletionRequest>(body));
    }
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    for (field, needs) in [
        ("stream_options", "stream"),
        ("top_logprobs", "logprobs"),
        ("tool_choice", "tools"),
        ("parallel_tool_calls", "tools"),
    ] {
        if has(field) && (!has(needs) || body[needs] == false) {
            wrong.push(format!("{field}: only with {needs}"));
        }
    }
    if has("max_tokens") && has("max_completion_tokens") {
        wrong.push("max_tokens: not with max_completion_tokens".into());
    }
    let mut open: Vec<&str> = Vec::new();
    for (i, message) in body["messages"].as_array().into_iter().flatten().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            match open.iter().position(|open| *open == id) {
                Some(at) => drop(open.remove(at)),
                None => wrong.push(format!("messages[{i}]: answers no call of the message before")),
            }
            continue;
        }
        if !open.is_empty() {
            wrong.push(format!("messages[{i}]: comes before the calls {open:?} are answered"));
        }
        let calls = message["tool_calls"].as_array();
        open = calls.into_iter().flatten().filter_map(|call| call["id"].as_str()).collect();
        if message["role"] == "assistant"
            && message["content"].is_null()
            && open.is_empty()
            && message["refusal"].is_null()
        {
            wrong.push(format!("messages[{i}]: says nothing"));
        }
    }
    wrong
}

fn typed<T: DeserializeOwned>(body: &Value) -> Option<String> {
    T::deserialize(body).err().map(|error| format!("by its type: {error}"))
}

fn usage(answer: &Answer, seen: &Seen) -> Value {
    let (thinking, output) = answer.output_tokens();
    let input = input_tokens(&seen.body);
    let (cached, _) = answer.cached.unwrap_or_default();
    let choices = seen.body["n"].as_u64().unwrap_or(1);
    json!({
        "prompt_tokens": input,
        "completion_tokens": output * choices,
        "total_tokens": input + output * choices,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thinking * choices, "audio_tokens": 0},
    })
}

fn finish_reason(answer: &Answer) -> &'static str {
    answer.stop.unwrap_or(if answer.calls.is_empty() { "stop" } else { "tool_calls" })
}

fn logprobs(text: &str, seen: &Seen) -> Value {
    if seen.body["logprobs"] != true {
        return Value::Null;
    }
    let top = usize::try_from(seen.body["top_logprobs"].as_u64().unwrap_or(0)).unwrap_or(0);
    let content: Vec<_> = pieces(text)
        .map(|token| {
            let one = json!({"token": token, "logprob": -0.25, "bytes": token.as_bytes()});
            let mut whole = one.clone();
            whole["top_logprobs"] = vec![one; top].into();
            whole
        })
        .collect();
    json!({"content": content, "refusal": null})
}

pub(super) fn whole(answer: &Answer, seen: &Seen) -> Value {
    let calls: Vec<_> = answer
        .calls
        .iter()
        .enumerate()
        .map(|(i, (name, arguments))| {
            let function = json!({"name": name, "arguments": arguments.to_string()});
            json!({"id": format!("call_{i}"), "type": "function", "function": function})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": answer.text, "refusal": answer.refusal});
    if let Some((thought, _)) = &answer.thinking {
        message["reasoning_content"] = thought.as_str().into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let text = answer.text.as_deref().unwrap_or_default();
    let choices: Vec<_> = (0..seen.body["n"].as_u64().unwrap_or(1))
        .map(|index| {
            json!({
                "index": index,
                "message": message,
                "logprobs": logprobs(text, seen),
                "finish_reason": finish_reason(answer),
            })
        })
        .collect();
    json!({
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_772_452_800,
        "model": seen.body["model"],
        "choices": choices,
        "usage": usage(answer, seen),
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    })
}

pub(super) fn events(answer: &Answer, seen: &Seen) -> Vec<String> {
    let mut deltas = vec![(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null)];
    let mut say = |delta: Value| deltas.push((delta, Value::Null));
    if let Some((thought, _)) = &answer.thinking {
        pieces(thought).for_each(|piece| say(json!({"reasoning_content": piece})));
    }
    if let Some(refusal) = &answer.refusal {
        pieces(refusal).for_each(|piece| say(json!({"refusal": piece})));
    }
    for piece in answer.text.iter().flat_map(|text| pieces(text)) {
        deltas.push((json!({"content": piece}), logprobs(piece, seen)));
    }
    for (i, (name, arguments)) in answer.calls.iter().enumerate() {
        let function = json!({"name": name, "arguments": ""});
        let call = json!({"index": i, "id": format!("call_{i}"), "type": "function", "function": function});
        deltas.push((json!({"tool_calls": [call]}), Value::Null));
        let arguments = arguments.to_string();
        for piece in arguments.split_inclusive([':', ',']) {
            let call = json!({"index": i, "function": {"arguments": piece}});
            deltas.push((json!({"tool_calls": [call]}), Value::Null));
        }
    }
    let include_usage = seen.body["stream_options"]["include_usage"] == true;
    let chunk = |choices: &Value, usage: Value| {
        let mut chunk = json!({
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 1_772_452_800,
            "model": seen.body["model"],
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
            "choices": choices,
        });
        if include_usage {
            chunk["usage"] = usage;
        }
        data(&chunk)
    };
    let mut events = Vec::new();
    let choices = seen.body["n"].as_u64().unwrap_or(1);
    for (delta, logprobs) in &deltas {
        for index in 0..choices {
            let choice = json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null});
            events.push(chunk(&json!([choice]), Value::Null));
        }
    }
    for index in 0..choices {
        let choice = json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": finish_reason(answer)});
        events.push(chunk(&json!([choice]), Value::Null));
    }
    if include_usage {
        events.push(chunk(&json!([]), usage(answer, seen)));
    }
    events.push("data: [DONE]\n\n".into());
    events
}

pub(super) fn embeddings(answer: &Answer, seen: &Seen) -> Value {
    let input = &seen.body["input"];
    let one_token_list = input.get(0).is_some_and(Value::is_number);
    let inputs = if input.is_string() || one_token_list {
        vec![input.clone()]
    } else {
        input.as_array().cloned().unwrap_or_default()
    };
    let asked = seen.body["dimensions"].as_u64().and_then(|asked| usize::try_from(asked).ok());
    let dimensions = answer.dimensions.or(asked).unwrap_or(8);
    let mut used = 0;
    let vectors: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let text = input.as_str().map_or_else(|| input.to_string(), str::to_owned);
            used += input.as_array().map_or_else(|| tokens(&text), |ids| ids.len() as u64);
            let vector = embedding(&text, dimensions);
            let vector = if seen.body["encoding_format"] == "base64" {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Value::from(STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": vector})
        })
        .collect();
    let usage = json!({"prompt_tokens": used, "total_tokens": used});
    json!({"object": "list", "model": seen.body["model"], "data": vectors, "usage": usage})
}

pub(super) fn models() -> Value {
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1_772_452_800, "owned_by": "fake"});
    let mut list = json!({"data": [model("gpt-fake"), model("gpt-fake-mini")]});
    list["object"] = "list".into();
    list
}

pub(super) fn error(status: u16, error: &Error) -> Value {
    let kind = match (error.kind.as_str(), status) {
        ("", 429) => "rate_limit_error",
        ("", 500..) => "server_error",
        ("", _) => "invalid_request_error",
        (kind, _) => kind,
    };
    let code = error.code.as_deref().or(match status {
        401 => Some("invalid_api_key"),
        429 => Some("rate_limit_exceeded"),
        _ => None,
    });
    json!({"error": {"message": error.message, "type": kind, "param": error.param, "code": code}})
}
