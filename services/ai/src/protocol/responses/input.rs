//! Input items of requests. What a model said, thought and asked for in one turn are several items here and one message
//! in the one model, so neighbours are joined.

use serde_json::{Value, json};

use super::{content, unsupported};
use crate::{
    domain::chat::{Message, MessageRole, Part, ToolCall},
    protocol::{
        ApiError,
        read::{
            Fields, Path, Reading,
            fields::{invalid, list, missing, string, wrong_type},
            limits, tools,
        },
    },
};

const ROLES: [&str; 4] = ["user", "assistant", "system", "developer"];

/// Takes `input` out of a body.
pub fn read(body: &mut Fields<'_>, messages: &mut Vec<Message>, reading: &mut Reading) -> Result<(), ApiError> {
    let here = body.at("input");
    match body.need("input")? {
        value @ Value::String(_) => {
            let text = string(value, &here, limits::TEXT_BYTES)?;
            messages.push(Message { role: MessageRole::User, parts: vec![Part::text(text)], name: None });
        }
        value @ Value::Array(_) => {
            let listed = list(value, &here, limits::MESSAGES)?;
            if listed.is_empty() {
                return Err(invalid(&here, "must hold at least one item."));
            }
            for (index, value) in listed.into_iter().enumerate() {
                item(value, &here.item(index), messages, reading)?;
            }
        }
        other => return Err(wrong_type(&here, "a string or a list of items", &other)),
    }
    Ok(())
}

fn item(value: Value, at: &Path<'_>, messages: &mut Vec<Message>, reading: &mut Reading) -> Result<(), ApiError> {
    let mut fields = Fields::new(value, at)?;
    let kind = fields.string("type", limits::NAME_BYTES)?;
    match kind.as_deref() {
        // The short form of a message has no type, and neither has that of a reference.
        None if fields.has("role") => message(&mut fields, messages, reading)?,
        Some("message") => message(&mut fields, messages, reading)?,
        None if !fields.has("id") => return Err(missing(&at.field("role"))),
        None | Some("item_reference") => {
            return Err(unsupported(at, "is a reference, which is not supported: items are not kept. Send the item."));
        }
        Some("function_call") => {
            let call = function_call(&mut fields)?;
            said(messages, call);
        }
        Some("custom_tool_call") => {
            let id = fields.need_string("call_id", limits::ID_BYTES)?;
            let name = fields.need_string("name", limits::NAME_BYTES)?;
            let input = fields.string("input", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("input")))?;
            said(messages, Part::Other(json!({"type": "custom", "id": id, "custom": {"name": name, "input": input}})));
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let parts = vec![output(&mut fields, reading)?];
            messages.push(Message { role: MessageRole::Tool, parts, name: None });
        }
        Some("reasoning") => {
            if let Some(part) = reasoning(&mut fields, reading)? {
                said(messages, part);
            }
        }
        Some(other) => {
            let why = format!("is of type {:?}, which is not supported here.", short(other));
            return Err(unsupported(&at.field("type"), &why));
        }
    }
    // What an answer says about an item besides what it is.
    fields.drop_rest(&["id", "status", "phase", "caller", "name"], reading);
    Ok(())
}

/// Another piece of the assistant's turn.
fn said(messages: &mut Vec<Message>, part: Part) {
    match messages.last_mut() {
        Some(Message { role: MessageRole::Assistant, parts, .. }) => parts.push(part),
        _ => messages.push(Message { role: MessageRole::Assistant, parts: vec![part], name: None }),
    }
}

fn message(fields: &mut Fields<'_>, messages: &mut Vec<Message>, reading: &mut Reading) -> Result<(), ApiError> {
    let role = fields.word("role", &ROLES)?.ok_or_else(|| missing(&fields.at("role")))?;
    let parts = content::read(fields.need("content")?, &fields.at("content"), reading)?;
    let role = match role {
        "assistant" => {
            for part in parts {
                said(messages, part);
            }
            return Ok(());
        }
        "system" => MessageRole::System,
        "developer" => MessageRole::Developer,
        _ => MessageRole::User,
    };
    messages.push(Message { role, parts, name: None });
    Ok(())
}

fn function_call(fields: &mut Fields<'_>) -> Result<Part, ApiError> {
    let id = fields.need_string("call_id", limits::ID_BYTES)?;
    let name = fields.need_string("name", limits::NAME_BYTES)?;
    tools::check_name(&name, tools::ANTHROPIC_NAME, &fields.at("name"))?;
    let arguments = fields.string("arguments", limits::TEXT_BYTES)?;
    let arguments = arguments.ok_or_else(|| missing(&fields.at("arguments")))?;
    Ok(Part::ToolCall(ToolCall { id, name, arguments }))
}

fn output(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let call_id = fields.need_string("call_id", limits::ID_BYTES)?;
    let parts = content::read(fields.need("output")?, &fields.at("output"), reading)?;
    Ok(Part::ToolResult { call_id, parts, is_error: false, cache: None })
}

/// Thinking: its text is the content or else the summary; what is encrypted is its signature, or, without any text, the
/// thinking itself.
fn reasoning(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Option<Part>, ApiError> {
    let signature = fields.string("encrypted_content", limits::TEXT_BYTES)?;
    let summary = texts(fields, "summary", reading)?;
    let content = texts(fields, "content", reading)?;
    let text = if content.is_empty() { summary } else { content };
    Ok(match (text.is_empty(), signature) {
        (true, Some(data)) => Some(Part::RedactedThinking { data }),
        (true, None) => None,
        (false, signature) => Some(Part::Thinking { text, signature }),
    })
}

fn texts(fields: &mut Fields<'_>, name: &str, reading: &mut Reading) -> Result<String, ApiError> {
    let mut joined = String::new();
    let here = fields.at(name);
    for (index, value) in fields.list(name, limits::PARTS)?.unwrap_or_default().into_iter().enumerate() {
        let at = here.item(index);
        let mut part = Fields::new(value, &at)?;
        let text = part.string("text", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("text")))?;
        if !joined.is_empty() {
            joined.push_str("\n\n");
        }
        joined.push_str(&text);
        part.drop_rest(&["type"], reading);
    }
    Ok(joined)
}

/// As much of the caller's text as an error repeats.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
