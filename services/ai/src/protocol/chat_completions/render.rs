//! Whole answers.

use serde_json::{Map, Value, json};

use super::{finish_reason, usage};
use crate::{
    domain::chat::{ChatRequest, Choice, Completion, Part},
    protocol::{
        Envelope,
        write::{ANTHROPICS, add_missing, joined},
    },
};

pub fn render(request: &ChatRequest, completion: &Completion, envelope: &Envelope) -> Value {
    let choices: Vec<Value> = completion
        .choices
        .iter()
        .enumerate()
        .map(|(index, answer)| choice(index, answer, request.echo.legacy_functions))
        .collect();
    let mut answer = Map::new();
    answer.insert("id".into(), format!("chatcmpl-{}", envelope.id).into());
    answer.insert("object".into(), "chat.completion".into());
    answer.insert("created".into(), envelope.created.timestamp().into());
    answer.insert("model".into(), envelope.model.as_str().into());
    answer.insert("choices".into(), choices.into());
    if let Some(counted) = &completion.usage {
        answer.insert("usage".into(), usage(counted));
    }
    add_missing(&mut answer, &completion.extra, ANTHROPICS);
    Value::Object(answer)
}

fn choice(index: usize, choice: &Choice, legacy_functions: bool) -> Value {
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal { .. }));
    json!({
        "index": index,
        "message": message(&choice.parts, legacy_functions),
        "logprobs": choice.logprobs,
        "finish_reason": finish_reason(&choice.stop, refused, legacy_functions),
    })
}

fn message(parts: &[Part], legacy_functions: bool) -> Value {
    let text = joined(parts, |part| match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    });
    let refusal = joined(parts, |part| match part {
        Part::Refusal { text } => Some(text),
        _ => None,
    });
    let thinking = joined(parts, |part| match part {
        Part::Thinking { text, .. } => Some(text),
        _ => None,
    });
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    // An answer of nothing at all is an empty text; one of something else has no text.
    let content = if parts.is_empty() { Some(String::new()) } else { text };
    message.insert("content".into(), content.into());
    message.insert("refusal".into(), refusal.into());
    if let Some(thinking) = thinking {
        message.insert("reasoning_content".into(), thinking.into());
    }
    let mut calls = parts.iter().filter_map(tool_call);
    if legacy_functions {
        if let Some(mut call) = calls.next() {
            message.insert("function_call".into(), call["function"].take());
        }
    } else {
        let calls: Vec<Value> = calls.collect();
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.into());
        }
    }
    Value::Object(message)
}

/// A call of a function, or of a tool of another type that OpenAI itself answered with.
fn tool_call(part: &Part) -> Option<Value> {
    match part {
        Part::ToolCall(call) => Some(json!({
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        })),
        Part::Other(call) if call.get("type").is_some_and(|kind| kind == "custom") => Some(call.clone()),
        _ => None,
    }
}
