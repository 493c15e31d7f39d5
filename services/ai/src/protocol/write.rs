//! Writing answers: what the dialects share.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::chat::Part;

/// Appends a server-sent event without a name, as OpenAI's chat completions have it.
pub fn data(out: &mut Vec<u8>, data: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    // Ours are plain structs and maps with text keys, which always serialize; a line cut short would be the lesser evil.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}

/// Appends a server-sent event with a name.
pub fn event(out: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    data(out, value);
}

/// The texts of an answer, one after the other; `None` when it has none.
pub fn joined(parts: &[Part], text_of: impl Fn(&Part) -> Option<&str>) -> Option<String> {
    let mut joined: Option<String> = None;
    for text in parts.iter().filter_map(text_of) {
        joined.get_or_insert_default().push_str(text);
    }
    joined
}

/// Fields of Anthropic's answers, which OpenAI's do not have.
pub const ANTHROPICS: &[&str] = &["container", "context_management", "diagnostics", "stop_details"];
/// Fields of OpenAI's answers, which Anthropic's do not have.
pub const OPENAIS: &[&str] = &["created", "object", "service_tier", "system_fingerprint"];

/// Adds fields of the provider's answer that this one does not have already, but not those of the `foreign` family.
pub fn add_missing(answer: &mut Map<String, Value>, extra: &Map<String, Value>, foreign: &[&str]) {
    for (name, value) in extra {
        if !foreign.contains(&name.as_str()) {
            answer.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
}

/// A model's arguments as the object that Anthropic's form needs. What is no object is wrapped the way Anthropic's
/// documentation wants invalid JSON to be handed back.
///
/// <https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/fine-grained-tool-streaming>
pub fn arguments_object(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(map)) => Value::Object(map),
        _ => serde_json::json!({"INVALID_JSON": arguments}),
    }
}
