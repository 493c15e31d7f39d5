//! Anthropic's messages and models, as published: <https://platform.claude.com/docs/en/api/messages>.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{
    Seen,
    render::{Operation, input_tokens, pieces},
    reply::{Answer, Error},
    shape::{
        Field,
        Shape::{self, Any, Bool, Either, Int, Map, Num, Object, Tagged, Text, Word},
        list, may, must, or_null, some,
    },
};

/// Versions of the API that are in use. The later one has no sampling parameters.
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

static MESSAGES: LazyLock<Shape> = LazyLock::new(|| {
    Object(vec![
        must("model", Text),
        must("messages", some(message())),
        must("max_tokens", Int(1, i64::MAX)),
        may("cache_control", or_null(cache_control())),
        may("container", Any),
        may("diagnostics", Any),
        may("inference_geo", or_null(Text)),
        may("metadata", Object(vec![may("user_id", or_null(Text))])),
        may(
            "output_config",
            Object(vec![
                may("effort", or_null(Word(&["low", "medium", "high", "xhigh", "max"]))),
                may("format", or_null(Tagged("type", vec![("json_schema", vec![must("schema", Map(Box::new(Any)))])]))),
            ]),
        ),
        may("service_tier", Word(&["auto", "standard_only"])),
        may("speed", or_null(Word(&["standard", "fast"]))),
        may("stop_sequences", list(Text)),
        may("stream", Bool),
        may("system", Either(vec![Text, some(Tagged("type", vec![text_block()]))])),
        may("temperature", Num(0.0, 1.0)),
        may("thinking", thinking()),
        may("tool_choice", tool_choice()),
        may("tools", some(tool())),
        may("top_k", Int(0, i64::MAX)),
        may("top_p", Num(0.0, 1.0)),
    ])
});

fn cache_control() -> Shape {
    Tagged("type", vec![("ephemeral", vec![may("ttl", Word(&["5m", "1h"]))])])
}

fn cached() -> Field {
    may("cache_control", or_null(cache_control()))
}

fn text_block() -> (&'static str, Vec<Field>) {
    ("text", vec![must("text", Text), cached(), may("citations", or_null(list(Any)))])
}

fn image_block() -> (&'static str, Vec<Field>) {
    let media_type = Word(&["image/jpeg", "image/png", "image/gif", "image/webp"]);
    let source = Tagged(
        "type",
        vec![
            ("base64", vec![must("media_type", media_type), must("data", Text)]),
            ("url", vec![must("url", Text)]),
            ("file", vec![must("file_id", Text)]),
        ],
    );
    ("image", vec![must("source", source), cached()])
}

fn document_block() -> (&'static str, Vec<Field>) {
    let source = Tagged(
        "type",
        vec![
            ("base64", vec![must("media_type", Word(&["application/pdf"])), must("data", Text)]),
            ("text", vec![must("media_type", Word(&["text/plain"])), must("data", Text)]),
            ("url", vec![must("url", Text)]),
            ("file", vec![must("file_id", Text)]),
            ("content", vec![must("content", Any)]),
        ],
    );
    let more = [may("title", or_null(Text)), may("context", or_null(Text)), may("citations", Any)];
    ("document", [must("source", source), cached()].into_iter().chain(more).collect())
}

fn message() -> Shape {
    let search_result = || {
        let fields = vec![
            must("source", Text),
            must("title", Text),
            must("content", list(Any)),
            cached(),
            may("citations", Any),
        ];
        ("search_result", fields)
    };
    let result = || {
        let content = Tagged("type", vec![text_block(), image_block(), document_block(), search_result()]);
        let content = may("content", Either(vec![Text, list(content)]));
        ("tool_result", vec![must("tool_use_id", Text), content, may("is_error", Bool), cached()])
    };
    let user = Tagged("type", vec![text_block(), image_block(), document_block(), search_result(), result()]);
    let call = |kind| (kind, vec![must("id", Text), must("name", Text), must("input", Map(Box::new(Any))), cached()]);
    let assistant = Tagged(
        "type",
        vec![
            text_block(),
            ("thinking", vec![must("thinking", Text), must("signature", Text)]),
            ("redacted_thinking", vec![must("data", Text)]),
            call("tool_use"),
            call("server_tool_use"),
            ("web_search_tool_result", vec![must("tool_use_id", Text), must("content", Any), cached()]),
        ],
    );
    let system = Tagged("type", vec![text_block()]);
    let content = |block| vec![must("content", Either(vec![Text, some(block)]))];
    Tagged("role", vec![("user", content(user)), ("assistant", content(assistant)), ("system", content(system))])
}

fn thinking() -> Shape {
    let display = || may("display", or_null(Word(&["summarized", "omitted"])));
    Tagged(
        "type",
        vec![
            ("enabled", vec![must("budget_tokens", Int(1_024, i64::MAX)), display()]),
            ("adaptive", vec![display()]),
            ("disabled", vec![]),
            ("between_tools", vec![]),
        ],
    )
}

fn tool_choice() -> Shape {
    let parallel = || may("disable_parallel_tool_use", Bool);
    Tagged(
        "type",
        vec![
            ("auto", vec![parallel()]),
            ("any", vec![parallel()]),
            ("tool", vec![must("name", Text), parallel()]),
            ("none", vec![]),
        ],
    )
}

/// Functions of the caller, and tools of Anthropic's own, which have a dated type.
fn tool() -> Shape {
    let function = Object(vec![
        must("name", Text),
        must("input_schema", Map(Box::new(Any))),
        may("description", Text),
        may("strict", Bool),
        may("type", or_null(Word(&["custom"]))),
        may("defer_loading", Bool),
        may("eager_input_streaming", or_null(Bool)),
        may("input_examples", list(Map(Box::new(Any)))),
        cached(),
    ]);
    let search = vec![must("name", Word(&["web_search"])), may("max_uses", or_null(Int(1, 100))), cached()];
    Either(vec![function, Tagged("type", vec![("web_search_20250305", search)])])
}

pub(super) fn violations(operation: Operation, seen: &Seen) -> Vec<String> {
    let version = seen.headers.get("anthropic-version").map(String::as_str).unwrap_or_default();
    let mut wrong = Vec::new();
    if !VERSIONS.contains(&version) {
        wrong.push(format!("anthropic-version {version:?} is not known"));
    }
    match operation {
        Operation::Chat { .. } => wrong.extend(chat_violations(&seen.body, version)),
        Operation::Models => {}
        Operation::Embeddings | Operation::Unknown => wrong.push("unknown path".into()),
    }
    wrong
}

/// What is wrong with the body of a message, by the tables above and the rules between fields.
pub(super) fn chat_violations(body: &Value, version: &str) -> Vec<String> {
    let mut wrong = MESSAGES.violations(body);
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    if version == VERSIONS[1] {
        let sampling = ["temperature", "top_p", "top_k"].into_iter().filter(|name| has(name));
        wrong.extend(sampling.map(|name| format!("{name}: not in version {version}")));
    }
    if has("tool_choice") && !has("tools") {
        wrong.push("tool_choice: only with tools".into());
    }
    let budget = body["thinking"]["budget_tokens"].as_i64();
    if budget.is_some_and(|budget| body["max_tokens"].as_i64().is_some_and(|most| budget >= most)) {
        wrong.push("thinking.budget_tokens: not below max_tokens".into());
    }
    let thinks = ["enabled", "adaptive"].iter().any(|kind| body["thinking"]["type"] == **kind);
    let forced = ["any", "tool"].iter().any(|kind| body["tool_choice"]["type"] == **kind);
    if forced && thinks {
        wrong.push("tool_choice: forced although the model thinks".into());
    }
    let tuned = has("top_k")
        || body["temperature"].as_f64().is_some_and(|temperature| temperature < 1.0)
        || body["top_p"].as_f64().is_some_and(|top_p| top_p < 0.95);
    if thinks && tuned {
        wrong.push("thinking: not with temperature, top_p or top_k".into());
    }
    let mut open: Vec<&str> = Vec::new();
    for (i, message) in body["messages"].as_array().into_iter().flatten().enumerate() {
        let blocks: Vec<_> = message["content"].as_array().into_iter().flatten().collect();
        if blocks.iter().any(|block| block["type"] == "text" && block["text"] == "") || message["content"] == "" {
            wrong.push(format!("messages[{i}]: an empty text"));
        }
        for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
            let id = block["tool_use_id"].as_str().unwrap_or_default();
            match open.iter().position(|open| *open == id) {
                Some(at) => drop(open.remove(at)),
                None => wrong.push(format!("messages[{i}]: {id} answers no call of the message before")),
            }
        }
        if !open.is_empty() {
            wrong.push(format!("messages[{i}]: the calls {open:?} are not answered"));
        }
        let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
        open = calls.filter_map(|block| block["id"].as_str()).collect();
    }
    wrong
}

fn usage(answer: &Answer, seen: &Seen) -> Value {
    let (thinking, output) = answer.output_tokens();
    let (read, written) = answer.cached.unwrap_or_default();
    json!({
        "input_tokens": input_tokens(&seen.body).saturating_sub(read + written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thinking},
        "service_tier": "standard",
    })
}

fn stop_reason(answer: &Answer) -> &'static str {
    answer.stop.unwrap_or(if answer.refusal.is_some() {
        "refusal"
    } else if answer.stop_sequence.is_some() {
        "stop_sequence"
    } else if answer.calls.is_empty() {
        "end_turn"
    } else {
        "tool_use"
    })
}

fn blocks(answer: &Answer) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some((thought, signature)) = &answer.thinking {
        blocks.push(json!({"type": "thinking", "thinking": thought, "signature": signature}));
    }
    blocks.extend(answer.redacted.iter().map(|data| json!({"type": "redacted_thinking", "data": data})));
    let texts = answer.text.iter().chain(&answer.refusal);
    blocks.extend(texts.map(|text| json!({"type": "text", "text": text, "citations": null})));
    for (i, (name, input)) in answer.calls.iter().enumerate() {
        blocks.push(json!({"type": "tool_use", "id": format!("call_{i}"), "name": name, "input": input}));
    }
    blocks
}

pub(super) fn whole(answer: &Answer, seen: &Seen) -> Value {
    json!({
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": seen.body["model"],
        "content": blocks(answer),
        "stop_reason": stop_reason(answer),
        "stop_sequence": answer.stop_sequence,
        "container": null,
        "usage": usage(answer, seen),
    })
}

fn event(name: &str, mut value: Value) -> String {
    value["type"] = name.into();
    format!("event: {name}\ndata: {value}\n\n")
}

pub(super) fn events(answer: &Answer, seen: &Seen) -> Vec<String> {
    let mut message = whole(&Answer { cached: answer.cached, ..Answer::default() }, seen);
    message["stop_reason"] = Value::Null;
    message["usage"]["output_tokens"] = 1.into();
    let mut events = vec![event("message_start", json!({"message": message}))];
    for (index, block) in blocks(answer).into_iter().enumerate() {
        let (start, deltas) = parts(block);
        events.push(event("content_block_start", json!({"index": index, "content_block": start})));
        if index == 0 {
            events.push(event("ping", json!({})));
        }
        events.extend(
            deltas.into_iter().map(|delta| event("content_block_delta", json!({"index": index, "delta": delta}))),
        );
        events.push(event("content_block_stop", json!({"index": index})));
    }
    let mut usage = usage(answer, seen);
    usage.as_object_mut().expect("an object").remove("service_tier");
    let delta = json!({"stop_reason": stop_reason(answer), "stop_sequence": answer.stop_sequence, "container": null});
    events.push(event("message_delta", json!({"delta": delta, "usage": usage})));
    events.push(event("message_stop", json!({})));
    events
}

/// A block as it starts, and what is added to it.
fn parts(mut block: Value) -> (Value, Vec<Value>) {
    let mut take = |name: &str, empty: Value| std::mem::replace(&mut block[name], empty);
    let mut deltas = Vec::new();
    match take("type", Value::Null).as_str() {
        Some("thinking") => {
            let (thought, signature) = (take("thinking", "".into()), take("signature", "".into()));
            let thought = thought.as_str().unwrap_or_default();
            deltas.extend(pieces(thought).map(|piece| json!({"type": "thinking_delta", "thinking": piece})));
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
            block["type"] = "thinking".into();
        }
        Some("text") => {
            let text = take("text", "".into());
            let text = text.as_str().unwrap_or_default();
            deltas.extend(pieces(text).map(|piece| json!({"type": "text_delta", "text": piece})));
            block["type"] = "text".into();
        }
        Some("tool_use") => {
            let input = take("input", json!({}));
            let input = if input == json!({}) { String::new() } else { input.to_string() };
            deltas.push(json!({"type": "input_json_delta", "partial_json": ""}));
            let pieces = input.split_inclusive([':', ',']);
            deltas.extend(pieces.map(|piece| json!({"type": "input_json_delta", "partial_json": piece})));
            block["type"] = "tool_use".into();
        }
        kind => block["type"] = kind.map_or(Value::Null, Value::from),
    }
    (block, deltas)
}

pub(super) fn models() -> Value {
    let model = |id: &str| json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-03-02T00:00:00Z", "lifecycle": "active"});
    let mut list = json!({"data": [model("claude-fake"), model("claude-fake-mini")]});
    list["has_more"] = false.into();
    list["first_id"] = "claude-fake".into();
    list["last_id"] = "claude-fake-mini".into();
    list
}

pub(super) fn error(status: u16, error: &Error) -> Value {
    let kind = match (error.kind.as_str(), status) {
        ("", 401) => "authentication_error",
        ("", 402) => "billing_error",
        ("", 403) => "permission_error",
        ("", 404) => "not_found_error",
        ("", 413) => "request_too_large",
        ("", 429) => "rate_limit_error",
        ("", 504) => "timeout_error",
        ("", 529) => "overloaded_error",
        ("", 500..) => "api_error",
        ("", _) => "invalid_request_error",
        (kind, _) => kind,
    };
    json!({"type": "error", "error": {"type": kind, "message": error.message}, "request_id": "req_fake"})
}
