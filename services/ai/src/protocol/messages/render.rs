//! Whole answers.

use serde_json::{Map, Value, json};

use super::{stop_reason, usage};
use crate::{
    domain::chat::{ChatRequest, Completion, Part, TokenUsage},
    protocol::{
        Envelope,
        write::{OPENAIS, add_missing, arguments_object},
    },
};

/// There is one answer here; of several the first is taken.
pub fn render(_: &ChatRequest, completion: &Completion, envelope: &Envelope) -> Value {
    let choice = completion.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let content: Vec<Value> = parts.iter().filter_map(block).collect();
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let mut answer = start(envelope, &completion.usage.unwrap_or_default());
    answer.insert("content".into(), content.into());
    answer.insert("stop_reason".into(), choice.map(|choice| stop_reason(&choice.stop, called)).into());
    answer.insert("stop_sequence".into(), choice.and_then(|choice| choice.stop_sequence.clone()).into());
    add_missing(&mut answer, &completion.extra, OPENAIS);
    Value::Object(answer)
}

/// A message of which nothing is said yet.
pub fn start(envelope: &Envelope, counted: &TokenUsage) -> Map<String, Value> {
    let mut message = Map::new();
    message.insert("id".into(), format!("msg_{}", envelope.id).into());
    message.insert("type".into(), "message".into());
    message.insert("role".into(), "assistant".into());
    message.insert("model".into(), envelope.model.as_str().into());
    message.insert("content".into(), Value::Array(Vec::new()));
    message.insert("stop_reason".into(), Value::Null);
    message.insert("stop_sequence".into(), Value::Null);
    message.insert("usage".into(), usage(counted));
    message
}

fn block(part: &Part) -> Option<Value> {
    match part {
        // Anthropic refuses empty texts when the answer comes back with the next request.
        Part::Text { text, .. } | Part::Refusal { text } => {
            (!text.is_empty()).then(|| json!({"type": "text", "text": text}))
        }
        Part::ToolCall(call) => Some(json!({
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": arguments_object(&call.arguments),
        })),
        Part::Thinking { text, signature } => {
            Some(json!({"type": "thinking", "thinking": text, "signature": signature.as_deref().unwrap_or_default()}))
        }
        Part::RedactedThinking { data } => Some(json!({"type": "redacted_thinking", "data": data})),
        // A block of Anthropic's own; OpenAI's own are calls of custom tools.
        Part::Other(block) if block.get("type").is_some_and(|kind| kind != "custom") => Some(block.clone()),
        _ => None,
    }
}
