//! Messages of requests.

use serde_json::Value;

use crate::{
    domain::chat::{MediaSource, Message, MessageRole, Part, ToolCall},
    protocol::{
        ApiError,
        read::{
            Fields, Path, Reading,
            fields::{invalid, list, missing, string, wrong_type},
            limits, media, tools,
        },
    },
};

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// Takes `messages` out of a body.
pub fn read(body: &mut Fields<'_>, reading: &mut Reading) -> Result<Vec<Message>, ApiError> {
    let here = body.at("messages");
    let listed = list(body.need("messages")?, &here, limits::MESSAGES)?;
    if listed.is_empty() {
        return Err(invalid(&here, "must hold at least one message."));
    }
    let mut legacy = LegacyCalls::default();
    listed
        .into_iter()
        .enumerate()
        .map(|(index, value)| message(value, &here.item(index), &mut legacy, reading))
        .collect()
}

/// Calls from before there were tools have no ids; they get one, so that their results can name it.
#[derive(Default)]
struct LegacyCalls {
    count: usize,
    /// Name and id of calls without a result so far.
    open: Vec<(String, String)>,
}

impl LegacyCalls {
    fn call(&mut self, name: &str) -> String {
        self.count += 1;
        let id = format!("call_{}", self.count);
        self.open.push((name.to_owned(), id.clone()));
        id
    }

    fn result(&mut self, name: &str) -> Option<String> {
        let index = self.open.iter().position(|(open, _)| open == name)?;
        Some(self.open.remove(index).1)
    }
}

fn message(value: Value, at: &Path<'_>, legacy: &mut LegacyCalls, reading: &mut Reading) -> Result<Message, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let role = fields.word("role", &ROLES)?.ok_or_else(|| missing(&at.field("role")))?;
    let name = fields.string("name", limits::NAME_BYTES)?;
    let content = match fields.take("content") {
        Some(content) => Some(parts(content, &at.field("content"), reading)?),
        None => None,
    };
    let needed = |content: Option<Vec<Part>>| content.ok_or_else(|| missing(&at.field("content")));
    let message = match role {
        "tool" => {
            let call_id = fields.need_string("tool_call_id", limits::ID_BYTES)?;
            result(call_id, needed(content)?, name, &mut fields)
        }
        "function" => {
            let name = name.ok_or_else(|| missing(&at.field("name")))?;
            let call_id = legacy
                .result(&name)
                .ok_or_else(|| invalid(&at.field("name"), "must be that of a function that was called before."))?;
            // A function may have given nothing.
            result(call_id, content.unwrap_or_else(|| vec![Part::text("")]), None, &mut fields)
        }
        "assistant" => {
            let parts = assistant(content, &mut fields, legacy, reading)?;
            Message { role: MessageRole::Assistant, parts, name }
        }
        "system" => Message { role: MessageRole::System, parts: needed(content)?, name },
        "developer" => Message { role: MessageRole::Developer, parts: needed(content)?, name },
        _ => Message { role: MessageRole::User, parts: needed(content)?, name },
    };
    // Answers are sent back as they came, annotations included; those are for people, and no model reads them.
    fields.drop_rest(&["annotations"], reading);
    Ok(message)
}

fn result(call_id: String, parts: Vec<Part>, name: Option<String>, fields: &mut Fields<'_>) -> Message {
    let result = Part::ToolResult { call_id, parts, is_error: false, cache: fields.take("cache_control") };
    Message { role: MessageRole::Tool, parts: vec![result], name }
}

/// What the model said, thought and asked for.
fn assistant(
    content: Option<Vec<Part>>,
    fields: &mut Fields<'_>,
    legacy: &mut LegacyCalls,
    reading: &mut Reading,
) -> Result<Vec<Part>, ApiError> {
    let had_content = content.is_some();
    let mut parts = Vec::new();
    if let Some(text) = fields.string("reasoning_content", limits::TEXT_BYTES)?.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking { text, signature: None });
    }
    parts.extend(content.unwrap_or_default());
    if let Some(text) = fields.string("refusal", limits::TEXT_BYTES)? {
        parts.push(Part::Refusal { text });
    }
    let here = fields.at("tool_calls");
    for (index, value) in fields.list("tool_calls", limits::TOOL_CALLS)?.unwrap_or_default().into_iter().enumerate() {
        parts.push(tool_call(value, &here.item(index))?);
    }
    if let Some(value) = fields.take("function_call") {
        let here = fields.at("function_call");
        let (name, arguments) = called(value, &here)?;
        parts.push(Part::ToolCall(ToolCall { id: legacy.call(&name), name, arguments }));
    }
    if fields.has("audio") {
        // Refers to an answer that the provider keeps for a while.
        reading.warnings.dropped(fields.at("audio").names());
        fields.take("audio");
    } else if parts.is_empty() && !had_content {
        return Err(missing(&fields.at("content")));
    }
    Ok(parts)
}

fn tool_call(value: Value, at: &Path<'_>) -> Result<Part, ApiError> {
    let untouched = value.clone();
    let mut fields = Fields::new(value, at)?;
    let id = fields.need_string("id", limits::ID_BYTES)?;
    let kind = fields.string("type", limits::NAME_BYTES)?;
    if kind.is_some_and(|kind| kind != "function") {
        return Ok(Part::Other(untouched));
    }
    let (name, arguments) = called(fields.need("function")?, &at.field("function"))?;
    Ok(Part::ToolCall(ToolCall { id, name, arguments }))
}

fn called(value: Value, at: &Path<'_>) -> Result<(String, String), ApiError> {
    let mut fields = Fields::new(value, at)?;
    let name = fields.need_string("name", limits::NAME_BYTES)?;
    tools::check_name(&name, tools::ANTHROPIC_NAME, &fields.at("name"))?;
    let arguments = fields.string("arguments", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("arguments")))?;
    Ok((name, arguments))
}

/// Text, or a list of parts.
fn parts(content: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Vec<Part>, ApiError> {
    match content {
        Value::String(_) => Ok(vec![Part::text(string(content, at, limits::TEXT_BYTES)?)]),
        Value::Array(_) => {
            let listed = list(content, at, limits::PARTS)?;
            listed.into_iter().enumerate().map(|(index, value)| part(value, &at.item(index), reading)).collect()
        }
        other => Err(wrong_type(at, "a string or a list of parts", &other)),
    }
}

fn part(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let kind = match value.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(other) => return Err(wrong_type(&at.field("type"), "a string", other)),
        None if value.is_object() => return Err(missing(&at.field("type"))),
        None => return Err(wrong_type(at, "an object", &value)),
    };
    if !matches!(kind.as_str(), "text" | "image_url" | "input_audio" | "file" | "refusal") {
        return Ok(Part::Other(value));
    }
    let mut fields = Fields::new(value, at)?;
    fields.take("type");
    let cache = fields.take("cache_control");
    let part = match kind.as_str() {
        "text" => {
            let text = fields.string("text", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("text")))?;
            Part::Text { text, cache }
        }
        "image_url" => image(fields.need("image_url")?, cache, &at.field("image_url"), reading)?,
        "input_audio" => audio(fields.need("input_audio")?, &at.field("input_audio"))?,
        "file" => file(fields.need("file")?, cache, &at.field("file"))?,
        _ => Part::Refusal { text: fields.need_string("refusal", limits::TEXT_BYTES)? },
    };
    fields.drop_rest(&[], reading);
    Ok(part)
}

fn image(value: Value, cache: Option<Value>, at: &Path<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let url = fields.need_string("url", usize::MAX)?;
    let source = media::image_url(url, &fields.at("url"), reading)?;
    let detail = fields.string("detail", limits::NAME_BYTES)?;
    fields.drop_rest(&[], reading);
    Ok(Part::Image { source, detail, cache })
}

fn audio(value: Value, at: &Path<'_>) -> Result<Part, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let data = fields.need_string("data", usize::MAX)?;
    media::check_file(&data, &fields.at("data"))?;
    Ok(Part::Audio { data, format: fields.need_string("format", limits::NAME_BYTES)? })
}

fn file(value: Value, cache: Option<Value>, at: &Path<'_>) -> Result<Part, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let filename = fields.string("filename", limits::NAME_BYTES)?;
    let source = match (fields.string("file_data", usize::MAX)?, fields.string("file_id", limits::ID_BYTES)?) {
        (Some(_), Some(_)) => return Err(invalid(at, "must have file_data or file_id, not both.")),
        (Some(data), None) => media::inline_file(data, filename.as_deref(), &fields.at("file_data"))?,
        (None, Some(id)) => MediaSource::FileId(id),
        (None, None) => return Err(missing(&fields.at("file_data"))),
    };
    Ok(Part::File { source, filename, cache })
}
