//! Content blocks of requests.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    domain::chat::{MediaSource, Message, MessageRole, Part, ToolCall},
    protocol::{
        ApiError,
        read::{
            Fields, Path, Reading,
            fields::{invalid, list, missing, object, string, wrong_type},
            limits, media, tools,
        },
    },
};

/// Text, or a list of blocks.
pub fn read(content: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Vec<Part>, ApiError> {
    match content {
        Value::String(_) => Ok(vec![Part::text(string(content, at, limits::TEXT_BYTES)?)]),
        Value::Array(_) => {
            let listed = list(content, at, limits::PARTS)?;
            listed.into_iter().enumerate().map(|(index, value)| block(value, &at.item(index), reading)).collect()
        }
        other => Err(wrong_type(at, "a string or a list of content blocks", &other)),
    }
}

/// A user's message as one or several: each result of a tool is a message of its own, in the order in which they are.
pub fn split_results(parts: Vec<Part>, messages: &mut Vec<Message>) {
    let mut said = Vec::new();
    let flush = |said: &mut Vec<Part>, messages: &mut Vec<Message>| {
        if !said.is_empty() {
            messages.push(Message { role: MessageRole::User, parts: std::mem::take(said), name: None });
        }
    };
    let nothing = parts.is_empty();
    for part in parts {
        if matches!(part, Part::ToolResult { .. }) {
            flush(&mut said, messages);
            messages.push(Message { role: MessageRole::Tool, parts: vec![part], name: None });
        } else {
            said.push(part);
        }
    }
    flush(&mut said, messages);
    if nothing {
        messages.push(Message { role: MessageRole::User, parts: Vec::new(), name: None });
    }
}

fn block(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let kind = match value.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(other) => return Err(wrong_type(&at.field("type"), "a string", other)),
        None if value.is_object() => return Err(missing(&at.field("type"))),
        None => return Err(wrong_type(at, "an object", &value)),
    };
    if kind == "document" {
        return document(value, at, reading);
    }
    if !matches!(kind.as_str(), "text" | "image" | "tool_use" | "tool_result" | "thinking" | "redacted_thinking") {
        return Ok(Part::Other(value));
    }
    let mut fields = Fields::new(value, at)?;
    fields.take("type");
    let part = match kind.as_str() {
        "text" => {
            let text = fields.string("text", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("text")))?;
            Part::Text { text, cache: fields.take("cache_control") }
        }
        "image" => {
            let source = image_source(fields.need("source")?, &at.field("source"), reading)?;
            Part::Image { source, detail: None, cache: fields.take("cache_control") }
        }
        "tool_use" => tool_use(&mut fields)?,
        "tool_result" => tool_result(&mut fields, reading)?,
        "thinking" => {
            let text = fields.string("thinking", limits::TEXT_BYTES)?.ok_or_else(|| missing(&at.field("thinking")))?;
            let signature = fields.string("signature", limits::TEXT_BYTES)?.filter(|signature| !signature.is_empty());
            Part::Thinking { text, signature }
        }
        _ => Part::RedactedThinking { data: fields.need_string("data", limits::TEXT_BYTES)? },
    };
    fields.drop_rest(&["caller"], reading);
    Ok(part)
}

fn tool_use(fields: &mut Fields<'_>) -> Result<Part, ApiError> {
    let id = fields.need_string("id", limits::ID_BYTES)?;
    let name = fields.need_string("name", limits::NAME_BYTES)?;
    tools::check_name(&name, tools::ANTHROPIC_NAME, &fields.at("name"))?;
    let input = object(fields.need("input")?, &fields.at("input"))?;
    Ok(Part::ToolCall(ToolCall { id, name, arguments: Value::Object(input).to_string() }))
}

fn tool_result(fields: &mut Fields<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let call_id = fields.need_string("tool_use_id", limits::ID_BYTES)?;
    let parts = match fields.take("content") {
        Some(content) => read(content, &fields.at("content"), reading)?,
        None => Vec::new(),
    };
    if let Some(index) = parts.iter().position(|part| matches!(part, Part::ToolResult { .. } | Part::ToolCall(_))) {
        return Err(invalid(&fields.at("content").item(index), "must be what a tool gives: text, images, documents."));
    }
    let is_error = fields.flag("is_error")?.unwrap_or(false);
    Ok(Part::ToolResult { call_id, parts, is_error, cache: fields.take("cache_control") })
}

fn image_source(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<MediaSource, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let kind = fields.word("type", &["base64", "url", "file"])?.ok_or_else(|| missing(&at.field("type")))?;
    match kind {
        "base64" => {
            let media_type = fields.need_string("media_type", limits::NAME_BYTES)?;
            let data = fields.need_string("data", usize::MAX)?;
            media::inline_image(&media_type, data, &fields.at("data"), reading)
        }
        "url" => {
            reading.count_image(at)?;
            Ok(MediaSource::Url(media::web_url(fields.need_string("url", usize::MAX)?, &fields.at("url"))?))
        }
        _ => {
            reading.count_image(at)?;
            Ok(MediaSource::FileId(fields.need_string("file_id", limits::ID_BYTES)?))
        }
    }
}

/// A file. One with citations or a context, or made of blocks, is more than the one model knows, so it stays what it is.
fn document(value: Value, at: &Path<'_>, reading: &mut Reading) -> Result<Part, ApiError> {
    let wants_more = value.get("context").is_some_and(Value::is_string)
        || value.pointer("/citations/enabled").is_some_and(|enabled| *enabled == Value::Bool(true))
        || value.pointer("/source/type").is_some_and(|kind| kind == "content");
    if wants_more {
        return Ok(Part::Other(value));
    }
    let mut fields = Fields::new(value, at)?;
    let source = file_source(fields.need("source")?, &at.field("source"))?;
    let filename = fields.string("title", limits::NAME_BYTES)?;
    let cache = fields.take("cache_control");
    fields.take("citations");
    fields.drop_rest(&["type"], reading);
    Ok(Part::File { source, filename, cache })
}

fn file_source(value: Value, at: &Path<'_>) -> Result<MediaSource, ApiError> {
    let mut fields = Fields::new(value, at)?;
    let kind = fields.word("type", &["base64", "text", "url", "file"])?.ok_or_else(|| missing(&at.field("type")))?;
    match kind {
        "base64" => {
            let media_type = fields.need_string("media_type", limits::NAME_BYTES)?;
            let data = fields.need_string("data", usize::MAX)?;
            media::check_file(&data, &fields.at("data"))?;
            Ok(MediaSource::Inline { media_type, data })
        }
        "text" => {
            let text = fields.need_string("data", limits::TEXT_BYTES)?;
            Ok(MediaSource::Inline { media_type: "text/plain".into(), data: STANDARD.encode(text) })
        }
        "url" => Ok(MediaSource::Url(media::web_url(fields.need_string("url", usize::MAX)?, &fields.at("url"))?)),
        _ => Ok(MediaSource::FileId(fields.need_string("file_id", limits::ID_BYTES)?)),
    }
}
