//! Streamed answers: chunks as OpenAI sends them. Each choice begins with the role; its end has a `finish_reason`; then
//! comes the usage, if it was asked for, and `[DONE]`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{finish_reason, usage};
use crate::{
    domain::chat::{ChatEvent, ChatRequest, Dialect, TokenUsage},
    protocol::{ApiError, Encoder, Envelope, write},
};

pub fn encoder(request: &ChatRequest, envelope: Envelope) -> Box<dyn Encoder> {
    Box::new(Chunks {
        id: format!("chatcmpl-{}", envelope.id),
        created: envelope.created.timestamp(),
        model: envelope.model,
        extra: Map::new(),
        include_usage: request.include_usage,
        legacy_functions: request.echo.legacy_functions,
        refused: BTreeMap::new(),
        usage: None,
        over: false,
    })
}

struct Chunks {
    id: String,
    created: i64,
    model: String,
    /// `system_fingerprint` and the like, for the first chunk: it is one thing for the whole answer, however long that is.
    extra: Map<String, Value>,
    include_usage: bool,
    legacy_functions: bool,
    /// The choices that have begun, and whether with a refusal.
    refused: BTreeMap<u32, bool>,
    usage: Option<TokenUsage>,
    over: bool,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// Absent when it was not asked for, `null` until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<&'a Value>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCallDelta<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionDelta<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    /// Beside the role, when something else than text comes first.
    Null,
}

#[derive(Serialize)]
struct ToolCallDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionDelta<'a>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl Chunks {
    fn chunk(&mut self, out: &mut Vec<u8>, choices: &[Choice<'_>], usage: Option<Value>) {
        let usage = usage.or_else(|| self.include_usage.then_some(Value::Null));
        write::data(
            out,
            &Chunk {
                id: &self.id,
                object: "chat.completion.chunk",
                created: self.created,
                model: &self.model,
                choices,
                usage,
                extra: &std::mem::take(&mut self.extra),
            },
        );
    }

    /// A piece of a choice, after its role when it is the first.
    fn delta(&mut self, out: &mut Vec<u8>, index: u32, delta: Delta<'_>, logprobs: Option<&Value>) {
        let refusal = delta.refusal.is_some();
        self.begin(out, index, delta.content.is_some());
        if refusal {
            self.refused.insert(index, true);
        }
        self.chunk(out, &[Choice { index, delta, logprobs, finish_reason: None }], None);
    }

    fn begin(&mut self, out: &mut Vec<u8>, index: u32, with_text: bool) {
        if self.refused.contains_key(&index) {
            return;
        }
        self.refused.insert(index, false);
        let content = Some(if with_text { Content::Text("") } else { Content::Null });
        let delta = Delta { role: Some("assistant"), content, ..Delta::default() };
        self.chunk(out, &[Choice { index, delta, logprobs: None, finish_reason: None }], None);
    }

    /// Functions could only be called one at a time.
    fn call_delta<'a>(&self, index: u32, start: Option<&'a str>, function: FunctionDelta<'a>) -> Option<Delta<'a>> {
        if !self.legacy_functions {
            let kind = start.map(|_| "function");
            let call = ToolCallDelta { index, id: start, kind, function };
            return Some(Delta { tool_calls: Some([call]), ..Delta::default() });
        }
        (index == 0).then(|| Delta { function_call: Some(function), ..Delta::default() })
    }

    fn write(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        match event {
            ChatEvent::Started { extra, .. } => {
                write::add_missing(&mut self.extra, extra, write::ANTHROPICS);
                for own in ["id", "object", "created", "model", "choices", "usage"] {
                    self.extra.remove(own);
                }
            }
            ChatEvent::Text { choice, text, logprobs } => {
                let delta = Delta { content: Some(Content::Text(text)), ..Delta::default() };
                self.delta(out, *choice, delta, logprobs.as_ref());
            }
            ChatEvent::Refusal { choice, text } => {
                self.delta(out, *choice, Delta { refusal: Some(text), ..Delta::default() }, None);
            }
            ChatEvent::Thinking { choice, text } => {
                self.delta(out, *choice, Delta { reasoning_content: Some(text), ..Delta::default() }, None);
            }
            // This dialect has no place for them.
            ChatEvent::ThinkingSignature { choice, .. } | ChatEvent::RedactedThinking { choice, .. } => {
                self.begin(out, *choice, false);
            }
            ChatEvent::ToolCallStarted { choice, index, id, name } => {
                let function = FunctionDelta { name: Some(name), arguments: "" };
                if let Some(delta) = self.call_delta(*index, Some(id), function) {
                    self.delta(out, *choice, delta, None);
                }
            }
            ChatEvent::ToolCallArguments { choice, index, json } => {
                let function = FunctionDelta { name: None, arguments: json };
                if let Some(delta) = self.call_delta(*index, None, function) {
                    self.delta(out, *choice, delta, None);
                }
            }
            ChatEvent::ChoiceEnded { choice, stop, .. } => {
                self.begin(out, *choice, true);
                let refused = self.refused.get(choice).copied().unwrap_or(false);
                let finish_reason = Some(finish_reason(stop, refused, self.legacy_functions));
                let end = Choice { index: *choice, delta: Delta::default(), logprobs: None, finish_reason };
                self.chunk(out, &[end], None);
            }
            ChatEvent::Usage(counted) => self.usage = Some(*counted),
            ChatEvent::Ended => {
                if let Some(counted) = self.usage.filter(|_| self.include_usage) {
                    self.chunk(out, &[], Some(usage(&counted)));
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
                self.over = true;
            }
        }
    }
}

impl Encoder for Chunks {
    fn encode(&mut self, event: &ChatEvent) -> Bytes {
        let mut out = Vec::new();
        if !self.over {
            self.write(event, &mut out);
        }
        out.into()
    }

    fn fail(&mut self, error: &ApiError) -> Bytes {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.over, true) {
            write::data(&mut out, &error.body(Dialect::ChatCompletions));
        }
        out.into()
    }
}
