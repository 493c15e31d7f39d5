//! The conversation, as messages have it: system texts apart, turns of user and assistant, results of tools among what the
//! user says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::request::is_family;
use crate::{
    clients::{
        Failure,
        encode::{Fields, data_url, type_of},
        gemini,
    },
    domain::{
        chat::{ChatRequest, MediaSource, Message, MessageRole, Part, ToolCall},
        warnings::Warnings,
    },
};

/// Sets `messages` and gives the blocks of `system`.
pub(super) fn encode(request: &ChatRequest, body: &mut Fields, warnings: &mut Warnings) -> Result<Vec<Value>, Failure> {
    let mut writer = Writer { family: is_family(request), warnings };
    let (mut system, mut turns) = (Vec::new(), Vec::<(&str, Vec<Value>)>::new());
    for message in &request.messages {
        if message.name.is_some() {
            writer.warnings.dropped("messages.name");
        }
        let blocks = writer.blocks(message)?;
        let role = match message.role {
            // Newer models take a system text between turns; who speaks this dialect knows with which model it speaks.
            // For everybody else it joins the others, which every model reads.
            MessageRole::System | MessageRole::Developer if turns.is_empty() || !writer.family => {
                system.extend(blocks);
                continue;
            }
            MessageRole::System | MessageRole::Developer => "system",
            MessageRole::Assistant => "assistant",
            MessageRole::User | MessageRole::Tool => "user",
        };
        match turns.last_mut() {
            // All results of one turn must be in one message.
            Some((last, so_far)) if *last == role => so_far.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => turns.push((role, blocks)),
        }
    }
    let messages: Vec<_> = turns.into_iter().map(|(role, blocks)| json!({"role": role, "content": blocks})).collect();
    body.put("messages", messages);
    Ok(system)
}

struct Writer<'a> {
    family: bool,
    warnings: &'a mut Warnings,
}

impl Writer<'_> {
    fn blocks(&mut self, message: &Message) -> Result<Vec<Value>, Failure> {
        let mut blocks = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            blocks.extend(self.block(part, message.role)?);
        }
        Ok(blocks)
    }

    /// `None` for what is left out, with a warning unless it is empty.
    fn block(&mut self, part: &Part, role: MessageRole) -> Result<Option<Value>, Failure> {
        Ok(Some(match part {
            // The API refuses empty texts.
            Part::Text { text, .. } | Part::Refusal { text } if text.is_empty() => return Ok(None),
            Part::Text { text, cache } => {
                cached(Fields::default().with("text", Some(text.as_str())), "text", cache.as_ref())
            }
            Part::Refusal { text } => json!({"type": "text", "text": text}),
            Part::Image { source, detail, cache } => {
                if detail.is_some() {
                    self.warnings.dropped("messages.content.image_url.detail");
                }
                cached(Fields::default().with("source", Some(image(source))), "image", cache.as_ref())
            }
            Part::File { source, filename, cache } => {
                let document = Fields::default().with("source", Some(document(source)?));
                cached(document.with("title", filename.as_deref()), "document", cache.as_ref())
            }
            Part::Audio { .. } => return Err(Failure::unsupported("audio input")),
            Part::ToolCall(call) => self.tool_use(call),
            Part::ToolResult { call_id, parts, is_error, cache } => {
                let content = parts.iter().filter_map(|part| self.block(part, role).transpose());
                let content = content.collect::<Result<Vec<_>, _>>()?;
                let result = Fields::default()
                    .with("tool_use_id", Some(call_id.as_str()))
                    .with("content", (!content.is_empty()).then_some(content))
                    .with("is_error", is_error.then_some(true));
                cached(result, "tool_result", cache.as_ref())
            }
            Part::Thinking { text, signature: Some(signature) } if !gemini::is_signature(signature) => {
                json!({"type": "thinking", "thinking": text, "signature": signature})
            }
            // Another model's thoughts, which this one would not accept.
            Part::Thinking { .. } => {
                self.warnings.dropped("messages.content.thinking");
                return Ok(None);
            }
            Part::RedactedThinking { data } => json!({"type": "redacted_thinking", "data": data}),
            Part::Other(value) if self.family => value.clone(),
            // What another provider's own tools did is told by the answer that follows.
            Part::Other(value) if role == MessageRole::Assistant => {
                self.warnings.dropped(format!("messages.content.{}", type_of(value)));
                return Ok(None);
            }
            Part::Other(value) => return Err(Failure::unsupported(&format!("content of type {}", type_of(value)))),
        }))
    }

    fn tool_use(&mut self, call: &ToolCall) -> Value {
        let ToolCall { id, name, arguments } = call;
        let input = match serde_json::from_str(arguments) {
            Ok(Value::Object(input)) => input.into(),
            _ if arguments.is_empty() => json!({}),
            // A model may have written what is no object, and shall see it.
            _ => {
                self.warnings.dropped("messages.tool_calls.function.arguments");
                json!({"invalid_arguments": arguments})
            }
        };
        json!({"type": "tool_use", "id": id, "name": name, "input": input})
    }
}

fn cached(block: Fields, kind: &str, cache: Option<&Value>) -> Value {
    block.with("type", Some(kind)).with("cache_control", cache.cloned()).into()
}

fn base64(media_type: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": data})
}

fn image(source: &MediaSource) -> Value {
    match source {
        MediaSource::Inline { media_type, data } => base64(media_type, data),
        MediaSource::FileId(id) => json!({"type": "file", "file_id": id}),
        MediaSource::Url(url) => match data_url(url) {
            Some((media_type, data)) => base64(media_type, data),
            None => json!({"type": "url", "url": url}),
        },
    }
}

/// PDF as it is, text as text; nothing else is a document to Anthropic.
fn document(source: &MediaSource) -> Result<Value, Failure> {
    let (media_type, data) = match source {
        MediaSource::FileId(id) => return Ok(json!({"type": "file", "file_id": id})),
        MediaSource::Inline { media_type, data } => (media_type.as_str(), data.as_str()),
        MediaSource::Url(url) => match data_url(url) {
            Some(inline) => inline,
            None => return Ok(json!({"type": "url", "url": url})),
        },
    };
    if media_type == "application/pdf" {
        return Ok(base64(media_type, data));
    }
    let text = media_type.starts_with("text/").then(|| STANDARD.decode(data).ok()).flatten();
    match text.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => Ok(json!({"type": "text", "media_type": "text/plain", "data": text})),
        None => Err(Failure::unsupported(&format!("files of type {media_type}"))),
    }
}
