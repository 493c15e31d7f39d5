//! The conversation, as chat completions have it.

use serde_json::{Value, json};

use super::{Flavor, request::is_ours};
use crate::{
    clients::{
        Failure,
        encode::{Fields, type_of},
    },
    domain::{
        chat::{ChatRequest, MediaSource, Message, MessageRole, Part, ToolCall},
        warnings::Warnings,
    },
};

pub(super) fn encode(flavor: Flavor, request: &ChatRequest, warnings: &mut Warnings) -> Result<Vec<Value>, Failure> {
    let mut writer = Writer { flavor, request, warnings, messages: Vec::new(), media: Vec::new() };
    for message in &request.messages {
        writer.message(message)?;
    }
    writer.flush_media();
    Ok(writer.messages)
}

struct Writer<'a> {
    flavor: Flavor,
    request: &'a ChatRequest,
    warnings: &'a mut Warnings,
    messages: Vec<Value>,
    /// Images out of tool results, which may hold only text: they follow as a user's message after the last result.
    media: Vec<Value>,
}

impl Writer<'_> {
    fn message(&mut self, message: &Message) -> Result<(), Failure> {
        if message.parts.iter().any(|part| matches!(part, Part::ToolResult { .. })) {
            return self.results(message);
        }
        self.flush_media();
        match message.role {
            MessageRole::Assistant => self.assistant(message),
            role => self.plain(role, &message.parts, message.name.as_deref()),
        }
    }

    fn flush_media(&mut self) {
        if !self.media.is_empty() {
            let content = std::mem::take(&mut self.media);
            self.messages.push(json!({"role": "user", "content": content}));
        }
    }

    fn role(&self, role: MessageRole) -> &'static str {
        match role {
            MessageRole::Developer if self.flavor == Flavor::Original => "developer",
            MessageRole::System | MessageRole::Developer => "system",
            MessageRole::User => "user",
            MessageRole::Assistant => "assistant",
            MessageRole::Tool => "tool",
        }
    }

    fn plain(&mut self, role: MessageRole, parts: &[Part], name: Option<&str>) -> Result<(), Failure> {
        let mut content = Vec::with_capacity(parts.len());
        for part in parts {
            content.extend(self.part(part)?);
        }
        let message = Fields::default()
            .with("role", Some(self.role(role)))
            .with("content", Some(short(content)))
            .with("name", name);
        self.messages.push(message.into());
        Ok(())
    }

    /// Anthropic puts results and what the user says besides into one message; here each result is a message.
    fn results(&mut self, message: &Message) -> Result<(), Failure> {
        let mut besides = Vec::new();
        for part in &message.parts {
            let Part::ToolResult { call_id, parts, is_error, cache } = part else {
                besides.push(part.clone());
                continue;
            };
            if *is_error {
                self.warnings.dropped("messages.content.is_error");
            }
            self.cache(cache.as_ref());
            let mut text = Vec::new();
            for part in parts {
                match part {
                    Part::Text { .. } | Part::Other(_) => text.extend(self.part(part)?),
                    part => {
                        let media = self.part(part)?;
                        self.media.extend(media);
                    }
                }
            }
            let content = if text.is_empty() { Value::from("") } else { short(text) };
            self.messages.push(json!({"role": "tool", "tool_call_id": call_id, "content": content}));
        }
        if besides.is_empty() {
            return Ok(());
        }
        self.flush_media();
        self.plain(MessageRole::User, &besides, message.name.as_deref())
    }

    fn assistant(&mut self, message: &Message) -> Result<(), Failure> {
        let (mut content, mut calls, mut refusal) = (Vec::new(), Vec::new(), None);
        for part in &message.parts {
            match part {
                Part::ToolCall(ToolCall { id, name, arguments }) => {
                    calls.push(json!({
                        "id": id,
                        "type": "function",
                        "function": {"name": name, "arguments": arguments},
                    }));
                }
                Part::Refusal { text } => refusal = Some(text.as_str()),
                // The model thinks anew; its answer is what counts.
                Part::Thinking { .. } | Part::RedactedThinking { .. } => {
                    self.warnings.dropped("messages.content.thinking");
                }
                // What the provider's own tools found is part of the answer already; calls of custom tools are calls.
                Part::Other(value) if is_ours(self.request, value) && type_of(value) == "custom" => {
                    calls.push(value.clone());
                }
                Part::Other(value) if !is_ours(self.request, value) => {
                    self.warnings.dropped(format!("messages.content.{}", type_of(value)));
                }
                part => content.extend(self.part(part)?),
            }
        }
        let content = if content.is_empty() { Value::Null } else { short(content) };
        let message = Fields::default()
            .with("role", Some("assistant"))
            .with("content", Some(content))
            .with("refusal", refusal)
            .with("name", message.name.as_deref())
            .with("tool_calls", (!calls.is_empty()).then_some(calls));
        self.messages.push(message.into());
        Ok(())
    }

    fn part(&mut self, part: &Part) -> Result<Option<Value>, Failure> {
        Ok(Some(match part {
            Part::Text { text, cache } => {
                self.cache(cache.as_ref());
                json!({"type": "text", "text": text})
            }
            Part::Image { source, detail, cache } => {
                self.cache(cache.as_ref());
                let url = match source {
                    MediaSource::Url(url) => url.clone(),
                    MediaSource::Inline { media_type, data } => format!("data:{media_type};base64,{data}"),
                    MediaSource::FileId(_) => return Err(Failure::unsupported("images by file id")),
                };
                let image = Fields::default().with("url", Some(url)).with("detail", detail.as_deref());
                json!({"type": "image_url", "image_url": Value::from(image)})
            }
            Part::Audio { data, format } => {
                json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
            }
            Part::File { source, filename, cache } => {
                self.cache(cache.as_ref());
                let file = match source {
                    MediaSource::FileId(id) => json!({"file_id": id}),
                    MediaSource::Inline { media_type, data } => json!({
                        "filename": filename.as_deref().unwrap_or("file"),
                        "file_data": format!("data:{media_type};base64,{data}"),
                    }),
                    MediaSource::Url(_) => return Err(Failure::unsupported("files by URL")),
                };
                json!({"type": "file", "file": file})
            }
            Part::Refusal { text } => json!({"type": "text", "text": text}),
            Part::Thinking { .. } | Part::RedactedThinking { .. } => {
                self.warnings.dropped("messages.content.thinking");
                return Ok(None);
            }
            Part::Other(value) if is_ours(self.request, value) => value.clone(),
            Part::Other(value) => return Err(Failure::unsupported(&format!("content of type {}", type_of(value)))),
            Part::ToolCall(_) => return Err(Failure::unsupported("tool calls by others than the assistant")),
            Part::ToolResult { .. } => return Err(Failure::unsupported("results inside of results")),
        }))
    }

    /// OpenAI caches prompts without being told.
    fn cache(&mut self, cache: Option<&Value>) {
        if cache.is_some() {
            self.warnings.dropped("messages.content.cache_control");
        }
    }
}

/// A single text is sent as a string, which even the simplest servers read.
fn short(mut content: Vec<Value>) -> Value {
    if let [part] = content.as_mut_slice()
        && part.get("type").is_some_and(|kind| kind == "text")
        && part.as_object().is_some_and(|part| part.len() == 2)
        && let Some(Value::String(text)) = part.get_mut("text").map(Value::take)
    {
        return Value::String(text);
    }
    Value::Array(content)
}
