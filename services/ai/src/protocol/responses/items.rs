//! Output items of answers, and the answer around them.

use serde_json::{Map, Value, json};

use super::tools;
use crate::{
    domain::chat::{ChatRequest, ResponseFormat, StopReason, TokenUsage, ToolCall},
    protocol::Envelope,
};

/// Ids of items, in the order of the items.
pub struct Ids {
    answer: String,
}

impl Ids {
    pub fn of(envelope: &Envelope) -> Self {
        Self { answer: envelope.id.clone() }
    }

    /// `prefix` tells the type: `msg`, `fc`, `rs`.
    pub fn item(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}_{index}", self.answer)
    }
}

pub fn message(id: &str, status: &str, content: &[Value]) -> Value {
    json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
}

/// `logprobs` is a list, maybe empty.
pub fn output_text(text: &str, logprobs: &Value) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
}

pub fn refusal(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

pub fn function_call(id: &str, status: &str, call: &ToolCall) -> Value {
    json!({
        "type": "function_call",
        "id": id,
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    })
}

pub fn summary_text(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// Thinking. `text` is `None` when all of it is encrypted.
pub fn reasoning(id: &str, text: Option<&str>, encrypted: Option<&str>) -> Value {
    let summary: Vec<Value> = text.filter(|text| !text.is_empty()).map(summary_text).into_iter().collect();
    let mut item = json!({"type": "reasoning", "id": id, "summary": summary});
    if let Some(encrypted) = encrypted {
        item["encrypted_content"] = encrypted.into();
    }
    item
}

/// An answer with nothing in it yet: what it repeats of the request.
pub fn frame(request: &ChatRequest, envelope: &Envelope) -> Map<String, Value> {
    let reasoning = request.reasoning.as_ref();
    let mut text = Map::from_iter([("format".to_owned(), format(request.response_format.as_ref()))]);
    let mut frame = Map::new();
    let mut put = |name: &str, value: Value| frame.insert(name.to_owned(), value);
    put("id", format!("resp_{}", envelope.id).into());
    put("object", "response".into());
    put("created_at", envelope.created.timestamp().into());
    put("status", "in_progress".into());
    put("background", false.into());
    put("error", Value::Null);
    put("incomplete_details", Value::Null);
    put("instructions", request.echo.instructions.clone().into());
    put("max_output_tokens", request.max_tokens.into());
    put("max_tool_calls", Value::Null);
    put("metadata", request.metadata.clone().into());
    put("model", envelope.model.as_str().into());
    put("output", Value::Array(Vec::new()));
    put("parallel_tool_calls", request.parallel_tool_calls.unwrap_or(true).into());
    put("previous_response_id", Value::Null);
    put("reasoning", json!({"effort": reasoning.map(|r| &r.effort), "summary": reasoning.map(|r| &r.summary)}));
    put("store", false.into());
    put("temperature", request.sampling.temperature.unwrap_or(1.0).into());
    put("tool_choice", tools::write_choice(request.tool_choice.as_ref()));
    put("tools", request.tools.iter().map(tools::write).collect());
    put("top_logprobs", request.logprobs.and_then(|logprobs| logprobs.top).unwrap_or(0).into());
    put("top_p", request.sampling.top_p.unwrap_or(1.0).into());
    put("truncation", "disabled".into());
    put("usage", Value::Null);
    put("user", request.user.clone().into());
    // Not the tier: the provider tells which one it was.
    for name in ["prompt_cache_key", "prompt_cache_retention", "safety_identifier"] {
        if let Some(value) = request.extra.get(name) {
            put(name, value.clone());
        }
    }
    if let Some(verbosity) = request.extra.get("verbosity") {
        text.insert("verbosity".into(), verbosity.clone());
    }
    put("text", text.into());
    frame
}

fn format(format: Option<&ResponseFormat>) -> Value {
    match format {
        None | Some(ResponseFormat::Text) => json!({"type": "text"}),
        Some(ResponseFormat::JsonObject) => json!({"type": "json_object"}),
        Some(ResponseFormat::JsonSchema { name, description, schema, strict }) => json!({
            "type": "json_schema",
            "name": name,
            "description": description,
            "schema": schema,
            "strict": strict.unwrap_or(false),
        }),
    }
}

/// Why an answer is not complete, if it is not.
pub fn incomplete_reason(stop: &StopReason, refused: bool) -> Option<&'static str> {
    match stop {
        StopReason::Length => Some("max_output_tokens"),
        StopReason::ContentFilter => Some("content_filter"),
        StopReason::Refusal if !refused => Some("content_filter"),
        _ => None,
    }
}

/// Fills in the end of an answer.
pub fn close(
    frame: &mut Map<String, Value>,
    incomplete: Option<&str>,
    output: Vec<Value>,
    counted: Option<&TokenUsage>,
) {
    frame.insert("status".into(), if incomplete.is_some() { "incomplete" } else { "completed" }.into());
    frame.insert("incomplete_details".into(), incomplete.map_or(Value::Null, |reason| json!({"reason": reason})));
    frame.insert("output".into(), output.into());
    frame.insert("usage".into(), counted.map_or(Value::Null, usage));
}

fn usage(usage: &TokenUsage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached_input, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    })
}

/// The list in chat completions' `logprobs`.
pub fn logprobs(of: Option<&Value>) -> Value {
    of.and_then(|logprobs| logprobs.get("content")).filter(|list| list.is_array()).cloned().unwrap_or_else(|| json!([]))
}
