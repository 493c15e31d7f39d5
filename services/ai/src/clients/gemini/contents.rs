//! The conversation, as generateContent has it: system texts apart, turns of user and model, results of functions among
//! what the user says and named after their function.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{SIGNATURE_PREFIX, request::is_old};
use crate::{
    clients::{
        Failure,
        encode::{Fields, data_url, type_of},
    },
    domain::{
        chat::{ChatRequest, MediaSource, Message, MessageRole, Part, ToolCall},
        warnings::Warnings,
    },
};

/// Stands for the signature of a call that Gemini did not make itself or whose signature got lost; models from 3 on refuse
/// a call without any (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Sets `contents` and gives the parts of the system instruction.
pub(super) fn encode(
    model: &str,
    request: &ChatRequest,
    body: &mut Fields,
    warnings: &mut Warnings,
) -> Result<Vec<Value>, Failure> {
    let mut writer = Writer { signed: !is_old(model), names: HashMap::new(), warnings };
    let (mut system, mut turns) = (Vec::new(), Vec::<(&str, Vec<Value>)>::new());
    for message in &request.messages {
        if message.name.is_some() {
            writer.warnings.dropped("messages.name");
        }
        let parts = writer.parts(message)?;
        let role = match message.role {
            MessageRole::System | MessageRole::Developer => {
                system.extend(parts);
                continue;
            }
            MessageRole::Assistant => "model",
            MessageRole::User | MessageRole::Tool => "user",
        };
        match turns.last_mut() {
            // All results of one turn must be in one content.
            Some((last, so_far)) if *last == role => so_far.extend(parts),
            _ if parts.is_empty() => {}
            _ => turns.push((role, parts)),
        }
    }
    let contents: Vec<_> = turns.into_iter().map(|(role, parts)| json!({"role": role, "parts": parts})).collect();
    body.put("contents", contents);
    Ok(system)
}

struct Writer<'a> {
    /// The first call of a turn needs a signature.
    signed: bool,
    /// Functions by the ids of their calls so far.
    names: HashMap<String, String>,
    warnings: &'a mut Warnings,
}

impl Writer<'_> {
    fn parts(&mut self, message: &Message) -> Result<Vec<Value>, Failure> {
        let mut parts = Vec::with_capacity(message.parts.len());
        let mut signature = None;
        let mut first_call = true;
        for part in &message.parts {
            match part {
                Part::Thinking { signature: Some(signed), .. } if super::is_signature(signed) => {
                    signature = signed.strip_prefix(SIGNATURE_PREFIX);
                }
                Part::Thinking { .. } | Part::RedactedThinking { .. } => {
                    self.warnings.dropped("messages.content.thinking");
                }
                Part::ToolCall(call) => {
                    let stand_in = (self.signed && first_call).then_some(NO_SIGNATURE);
                    first_call = false;
                    let call = self.call(call);
                    let call = Fields::default()
                        .with("functionCall", Some(call))
                        .with("thoughtSignature", signature.take().or(stand_in));
                    parts.push(call.into());
                }
                part => parts.extend(self.part(part, message.role)?),
            }
        }
        Ok(parts)
    }

    fn part(&mut self, part: &Part, role: MessageRole) -> Result<Option<Value>, Failure> {
        Ok(Some(match part {
            Part::Text { text, cache } => {
                self.cache(cache.as_ref());
                if text.is_empty() {
                    return Ok(None);
                }
                json!({"text": text})
            }
            Part::Refusal { text } => json!({"text": text}),
            Part::Image { source, detail, cache } => {
                self.cache(cache.as_ref());
                if detail.is_some() {
                    self.warnings.dropped("messages.content.image_url.detail");
                }
                media(source, "image/jpeg")
            }
            Part::File { source, cache, .. } => {
                self.cache(cache.as_ref());
                media(source, "application/pdf")
            }
            Part::Audio { data, format } => {
                json!({"inlineData": {"mimeType": format!("audio/{format}"), "data": data}})
            }
            Part::ToolResult { call_id, parts, is_error, cache } => {
                self.cache(cache.as_ref());
                self.result(call_id, parts, *is_error, role)?
            }
            // What another provider's own tools did is told by the answer that follows.
            Part::Other(value) if role == MessageRole::Assistant => {
                self.warnings.dropped(format!("messages.content.{}", type_of(value)));
                return Ok(None);
            }
            Part::Other(value) => return Err(Failure::unsupported(&format!("content of type {}", type_of(value)))),
            Part::ToolCall(_) | Part::Thinking { .. } | Part::RedactedThinking { .. } => return Ok(None),
        }))
    }

    fn call(&mut self, call: &ToolCall) -> Value {
        let ToolCall { id, name, arguments } = call;
        self.names.insert(id.clone(), name.clone());
        let args = match serde_json::from_str(arguments) {
            Ok(Value::Object(args)) => args.into(),
            _ if arguments.is_empty() => json!({}),
            // A model may have written what is no object, and shall see it.
            _ => {
                self.warnings.dropped("messages.tool_calls.function.arguments");
                json!({"invalid_arguments": arguments})
            }
        };
        json!({"id": id, "name": name, "args": args})
    }

    fn result(&mut self, id: &str, parts: &[Part], is_error: bool, role: MessageRole) -> Result<Value, Failure> {
        let (mut text, mut more) = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text: piece, .. } => {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(piece);
                }
                part => more.extend(self.part(part, role)?),
            }
        }
        let response = match serde_json::from_str(&text) {
            _ if is_error => json!({"error": text}),
            Ok(Value::Object(object)) => object.into(),
            _ => json!({"output": text}),
        };
        // A result of nothing that is known is the provider's to refuse.
        let name = self.names.get(id).map_or(id, String::as_str);
        let result = Fields::default()
            .with("id", Some(id))
            .with("name", Some(name))
            .with("response", Some(response))
            .with("parts", (!more.is_empty()).then_some(more));
        Ok(json!({"functionResponse": Value::from(result)}))
    }

    /// Gemini caches prompts without being told.
    fn cache(&mut self, cache: Option<&Value>) {
        if cache.is_some() {
            self.warnings.dropped("messages.content.cache_control");
        }
    }
}

/// `guess` is the type of a URL whose ending says nothing.
fn media(source: &MediaSource, guess: &str) -> Value {
    let url = match source {
        MediaSource::Inline { media_type, data } => {
            return json!({"inlineData": {"mimeType": media_type, "data": data}});
        }
        MediaSource::FileId(id) => return json!({"fileData": {"fileUri": id}}),
        MediaSource::Url(url) => url,
    };
    if let Some((media_type, data)) = data_url(url) {
        return json!({"inlineData": {"mimeType": media_type, "data": data}});
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let media_type = match path.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("gif") => "image/gif",
        Some("heic") => "image/heic",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("pdf") => "application/pdf",
        Some("txt" | "md") => "text/plain",
        Some("mp3") => "audio/mp3",
        Some("wav") => "audio/wav",
        Some("mp4") => "video/mp4",
        _ => guess,
    };
    json!({"fileData": {"mimeType": media_type, "fileUri": url}})
}
