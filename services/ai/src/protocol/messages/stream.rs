//! Streamed answers: `message_start`, then each content block with its start, deltas and stop, then `message_delta` with
//! the reason and the usage, and `message_stop`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{render::start, stop_reason, usage};
use crate::{
    domain::chat::{ChatEvent, ChatRequest, Dialect, StopReason, TokenUsage},
    protocol::{ApiError, Encoder, Envelope, write},
};

pub fn encoder(_: &ChatRequest, envelope: Envelope) -> Box<dyn Encoder> {
    Box::new(Blocks {
        envelope,
        extra: Map::new(),
        started: Start::NotYet,
        open: None,
        next: 0,
        calls: BTreeMap::new(),
        usage: TokenUsage::default(),
        end: None,
        over: false,
    })
}

struct Blocks {
    envelope: Envelope,
    /// Fields of the provider's that the message has as well.
    extra: Map<String, Value>,
    started: Start,
    open: Option<Open>,
    /// Index of the next block.
    next: u32,
    /// The block of each tool call, for arguments that come late.
    calls: BTreeMap<u32, u32>,
    usage: TokenUsage,
    /// Reason and sequence.
    end: Option<(StopReason, Option<String>)>,
    over: bool,
}

/// `message_start` waits for the event after the first one: a provider that counts the input beforehand does it there.
#[derive(PartialEq)]
enum Start {
    NotYet,
    Waiting,
    Done,
}

/// The block that is being written.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Text,
    Refusal,
    Thinking,
    ToolCall,
}

impl Blocks {
    fn write(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if let ChatEvent::Usage(counted) = event {
            self.usage = *counted;
        }
        if let ChatEvent::Started { extra, .. } = event {
            self.extra.clone_from(extra);
        }
        self.start(matches!(event, ChatEvent::Started { .. }), out);
        match event {
            // An empty text would be a block that Anthropic refuses when it comes back.
            ChatEvent::Text { choice: 0, text, .. } if !text.is_empty() => self.text(Open::Text, text, out),
            ChatEvent::Refusal { choice: 0, text } if !text.is_empty() => self.text(Open::Refusal, text, out),
            ChatEvent::Thinking { choice: 0, text } => {
                self.thinking(out);
                self.delta(&json!({"type": "thinking_delta", "thinking": text}), out);
            }
            ChatEvent::ThinkingSignature { choice: 0, signature } => {
                self.thinking(out);
                self.delta(&json!({"type": "signature_delta", "signature": signature}), out);
                self.close(out);
            }
            ChatEvent::RedactedThinking { choice: 0, data } => {
                self.close(out);
                self.begin(&json!({"type": "redacted_thinking", "data": data}), out);
                end_block(self.next - 1, out);
            }
            ChatEvent::ToolCallStarted { choice: 0, index, id, name } => {
                self.close(out);
                self.calls.insert(*index, self.next);
                self.begin(&json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
                self.open = Some(Open::ToolCall);
            }
            ChatEvent::ToolCallArguments { choice: 0, index, json } => {
                if let Some(block) = self.calls.get(index) {
                    let delta = json!({"type": "input_json_delta", "partial_json": json});
                    block_delta(*block, &delta, out);
                }
            }
            ChatEvent::ChoiceEnded { choice: 0, stop, stop_sequence } => {
                self.close(out);
                self.end = Some((stop.clone(), stop_sequence.clone()));
            }
            ChatEvent::Ended => self.finish(out),
            // Done above, or of another answer: here there is one, and of several the first is taken.
            _ => {}
        }
    }

    fn start(&mut self, first: bool, out: &mut Vec<u8>) {
        if self.started == Start::NotYet && first {
            self.started = Start::Waiting;
        } else if self.started != Start::Done {
            self.started = Start::Done;
            let mut message = start(&self.envelope, &self.usage);
            write::add_missing(&mut message, &self.extra, write::OPENAIS);
            write::event(out, "message_start", &json!({"type": "message_start", "message": message}));
        }
    }

    fn text(&mut self, kind: Open, text: &str, out: &mut Vec<u8>) {
        if self.open != Some(kind) {
            self.close(out);
            self.begin(&json!({"type": "text", "text": ""}), out);
            self.open = Some(kind);
        }
        self.delta(&json!({"type": "text_delta", "text": text}), out);
    }

    fn thinking(&mut self, out: &mut Vec<u8>) {
        if self.open != Some(Open::Thinking) {
            self.close(out);
            self.begin(&json!({"type": "thinking", "thinking": "", "signature": ""}), out);
            self.open = Some(Open::Thinking);
        }
    }

    fn begin(&mut self, block: &Value, out: &mut Vec<u8>) {
        let start = json!({"type": "content_block_start", "index": self.next, "content_block": block});
        write::event(out, "content_block_start", &start);
        self.next += 1;
    }

    /// Of the newest block.
    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        block_delta(self.next.saturating_sub(1), delta, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            end_block(self.next - 1, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let (stop, sequence) = self.end.take().unwrap_or((StopReason::End, None));
        let delta = json!({"stop_reason": stop_reason(&stop, !self.calls.is_empty()), "stop_sequence": sequence});
        let end = json!({"type": "message_delta", "delta": delta, "usage": usage(&self.usage)});
        write::event(out, "message_delta", &end);
        write::event(out, "message_stop", &json!({"type": "message_stop"}));
        self.over = true;
    }
}

fn block_delta(index: u32, delta: &Value, out: &mut Vec<u8>) {
    let event = json!({"type": "content_block_delta", "index": index, "delta": delta});
    write::event(out, "content_block_delta", &event);
}

fn end_block(index: u32, out: &mut Vec<u8>) {
    write::event(out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
}

impl Encoder for Blocks {
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
            write::event(&mut out, "error", &error.body(Dialect::Messages));
        }
        out.into()
    }
}
