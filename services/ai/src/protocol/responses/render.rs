//! Whole answers.

use serde_json::{Value, json};

use super::items::{self, Ids};
use crate::{
    domain::chat::{ChatRequest, Choice, Completion, Part},
    protocol::{
        Envelope,
        write::{ANTHROPICS, add_missing},
    },
};

/// There is one answer here; of several the first is taken.
pub fn render(request: &ChatRequest, completion: &Completion, envelope: &Envelope) -> Value {
    let mut answer = items::frame(request, envelope);
    let (output, incomplete) = completion.choices.first().map_or((Vec::new(), None), |choice| {
        let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal { .. }));
        let incomplete = items::incomplete_reason(&choice.stop, refused);
        (output(choice, incomplete.is_some(), &Ids::of(envelope)), incomplete)
    });
    items::close(&mut answer, incomplete, output, completion.usage.as_ref());
    add_missing(&mut answer, &completion.extra, ANTHROPICS);
    Value::Object(answer)
}

fn output(choice: &Choice, incomplete: bool, ids: &Ids) -> Vec<Value> {
    let mut output: Vec<Value> = Vec::new();
    let mut logprobs = Some(items::logprobs(choice.logprobs.as_ref()));
    for part in &choice.parts {
        let index = output.len();
        match part {
            Part::Text { text, .. } => {
                let logprobs = logprobs.take().unwrap_or_else(|| json!([]));
                say(&mut output, items::output_text(text, &logprobs), ids);
            }
            Part::Refusal { text } => say(&mut output, items::refusal(text), ids),
            Part::ToolCall(call) => output.push(items::function_call(&ids.item("fc", index), "completed", call)),
            Part::Thinking { text, signature } => {
                output.push(items::reasoning(&ids.item("rs", index), Some(text), signature.as_deref()));
            }
            Part::RedactedThinking { data } => {
                output.push(items::reasoning(&ids.item("rs", index), None, Some(data)));
            }
            Part::Other(call) if call.get("type").is_some_and(|kind| kind == "custom") => {
                output.push(custom_call(call, &ids.item("ctc", index)));
            }
            _ => {}
        }
    }
    if let Some(last) = output.last_mut().filter(|last| incomplete && last.get("status").is_some()) {
        last["status"] = "incomplete".into();
    }
    output
}

/// Puts a part into the message that is last, or into a new one.
fn say(output: &mut Vec<Value>, part: Value, ids: &Ids) {
    if let Some(Value::Object(last)) = output.last_mut()
        && let Some(Value::Array(content)) = last.get_mut("content")
    {
        content.push(part);
    } else {
        output.push(items::message(&ids.item("msg", output.len()), "completed", &[part]));
    }
}

/// From chat completions' form.
fn custom_call(call: &Value, id: &str) -> Value {
    let custom = call.get("custom");
    let field = |name: &str| custom.and_then(|custom| custom.get(name)).cloned();
    json!({
        "type": "custom_tool_call",
        "id": id,
        "call_id": call.get("id"),
        "name": field("name"),
        "input": field("input"),
    })
}
