//! Streamed answers. Each item is announced, filled and closed; the last event repeats the whole answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::items::{self, Ids};
use crate::{
    domain::chat::{ChatEvent, ChatRequest, Dialect, StopReason, TokenUsage, ToolCall},
    protocol::{ApiError, Encoder, Envelope, ErrorType, write},
};

pub fn encoder(request: &ChatRequest, envelope: &Envelope) -> Box<dyn Encoder> {
    Box::new(Items {
        frame: items::frame(request, envelope),
        ids: Ids::of(envelope),
        sequence: 0,
        started: false,
        open: None,
        output: Vec::new(),
        calls: BTreeMap::new(),
        refused: false,
        stop: None,
        usage: None,
        over: false,
    })
}

struct Items {
    /// The answer without its output.
    frame: Map<String, Value>,
    ids: Ids,
    sequence: u64,
    started: bool,
    /// The item that is being written; it is the one after the last of `output`.
    open: Option<Open>,
    /// The items that are finished.
    output: Vec<Value>,
    /// The item of each finished call, for arguments that come late.
    calls: BTreeMap<u32, usize>,
    refused: bool,
    stop: Option<StopReason>,
    usage: Option<TokenUsage>,
    over: bool,
}

enum Open {
    Message { id: String, content: Vec<Value>, part: Said },
    Reasoning { id: String, text: String, signature: Option<String> },
    Call { id: String, index: u32, call: ToolCall },
}

/// The part of a message that is being written.
enum Said {
    Text { text: String, logprobs: Vec<Value> },
    Refusal { text: String },
}

impl Said {
    fn value(&self) -> Value {
        match self {
            Self::Text { text, logprobs } => items::output_text(text, &logprobs.clone().into()),
            Self::Refusal { text } => items::refusal(text),
        }
    }
}

impl Items {
    /// Writes an event; `data` lacks its type and its number.
    fn event(&mut self, out: &mut Vec<u8>, name: &str, mut data: Value) {
        data["type"] = name.into();
        data["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        write::event(out, name, &data);
    }

    fn write(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if !self.started {
            self.start(event, out);
        }
        match event {
            ChatEvent::Usage(counted) => self.usage = Some(*counted),
            ChatEvent::Text { choice: 0, text, logprobs } => self.text(text, logprobs.as_ref(), out),
            ChatEvent::Refusal { choice: 0, text } => self.refusal(text, out),
            ChatEvent::Thinking { choice: 0, text } => self.thinking(text, out),
            ChatEvent::ThinkingSignature { choice: 0, signature } => self.signature(signature, out),
            ChatEvent::RedactedThinking { choice: 0, data } => {
                self.close(false, out);
                let item = items::reasoning(&self.ids.item("rs", self.output.len()), None, Some(data));
                self.announce(&item, out);
                self.finish_item(item, out);
            }
            ChatEvent::ToolCallStarted { choice: 0, index, id, name } => {
                self.close(false, out);
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: String::new() };
                let id = self.ids.item("fc", self.output.len());
                self.announce(&items::function_call(&id, "in_progress", &call), out);
                self.open = Some(Open::Call { id, index: *index, call });
            }
            ChatEvent::ToolCallArguments { choice: 0, index, json } => self.arguments(*index, json, out),
            ChatEvent::ChoiceEnded { choice: 0, stop, .. } => {
                self.close(items::incomplete_reason(stop, self.refused).is_some(), out);
                self.stop = Some(stop.clone());
            }
            ChatEvent::Ended => self.finish(out),
            // There is one answer here; of several the first is taken.
            _ => {}
        }
    }

    fn start(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        self.started = true;
        if let ChatEvent::Started { extra, .. } = event {
            write::add_missing(&mut self.frame, extra, write::ANTHROPICS);
        }
        self.event(out, "response.created", json!({"response": self.frame}));
        self.event(out, "response.in_progress", json!({"response": self.frame}));
    }

    fn announce(&mut self, item: &Value, out: &mut Vec<u8>) {
        self.event(out, "response.output_item.added", json!({"output_index": self.output.len(), "item": item}));
    }

    fn finish_item(&mut self, item: Value, out: &mut Vec<u8>) {
        self.event(out, "response.output_item.done", json!({"output_index": self.output.len(), "item": item}));
        self.output.push(item);
    }

    fn text(&mut self, more: &str, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Message { part: Said::Text { .. }, .. })) {
            self.begin_part(Said::Text { text: String::new(), logprobs: Vec::new() }, out);
        }
        let list = items::logprobs(logprobs);
        if let Some(Open::Message { id, content, part: Said::Text { text, logprobs } }) = &mut self.open {
            text.push_str(more);
            logprobs.extend(list.as_array().into_iter().flatten().cloned());
            let (id, at) = (id.clone(), content.len());
            let data = json!({"item_id": id, "output_index": self.output.len(), "content_index": at, "delta": more,
                "logprobs": list});
            self.event(out, "response.output_text.delta", data);
        }
    }

    fn refusal(&mut self, more: &str, out: &mut Vec<u8>) {
        self.refused = true;
        if !matches!(self.open, Some(Open::Message { part: Said::Refusal { .. }, .. })) {
            self.begin_part(Said::Refusal { text: String::new() }, out);
        }
        if let Some(Open::Message { id, content, part: Said::Refusal { text } }) = &mut self.open {
            text.push_str(more);
            let (id, at) = (id.clone(), content.len());
            let data = json!({"item_id": id, "output_index": self.output.len(), "content_index": at, "delta": more});
            self.event(out, "response.refusal.delta", data);
        }
    }

    /// Another part of the message that is open, or the first of a new one.
    fn begin_part(&mut self, part: Said, out: &mut Vec<u8>) {
        let (id, content) = if let Some(Open::Message { id, mut content, part }) =
            self.open.take_if(|open| matches!(open, Open::Message { .. }))
        {
            self.finish_part(&id, content.len(), &part, out);
            content.push(part.value());
            (id, content)
        } else {
            self.close(false, out);
            let id = self.ids.item("msg", self.output.len());
            self.announce(&items::message(&id, "in_progress", &[]), out);
            (id, Vec::new())
        };
        let data = json!({"item_id": id, "output_index": self.output.len(), "content_index": content.len(),
            "part": part.value()});
        self.event(out, "response.content_part.added", data);
        self.open = Some(Open::Message { id, content, part });
    }

    fn finish_part(&mut self, id: &str, at: usize, part: &Said, out: &mut Vec<u8>) {
        let mut data = json!({"item_id": id, "output_index": self.output.len(), "content_index": at});
        let mut whole = data.clone();
        whole["part"] = part.value();
        match part {
            Said::Text { text, logprobs } => {
                data["text"] = text.as_str().into();
                data["logprobs"] = logprobs.clone().into();
                self.event(out, "response.output_text.done", data);
            }
            Said::Refusal { text } => {
                data["refusal"] = text.as_str().into();
                self.event(out, "response.refusal.done", data);
            }
        }
        self.event(out, "response.content_part.done", whole);
    }

    fn thinking(&mut self, more: &str, out: &mut Vec<u8>) {
        self.begin_reasoning(out);
        let Some(Open::Reasoning { id, text, .. }) = &mut self.open else { return };
        if more.is_empty() {
            return;
        }
        let first = text.is_empty();
        text.push_str(more);
        let at = json!({"item_id": id, "output_index": self.output.len(), "summary_index": 0});
        if first {
            let mut data = at.clone();
            data["part"] = items::summary_text("");
            self.event(out, "response.reasoning_summary_part.added", data);
        }
        let mut data = at;
        data["delta"] = more.into();
        self.event(out, "response.reasoning_summary_text.delta", data);
    }

    fn begin_reasoning(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Reasoning { .. })) {
            self.close(false, out);
            let id = self.ids.item("rs", self.output.len());
            self.announce(&items::reasoning(&id, None, None), out);
            self.open = Some(Open::Reasoning { id, text: String::new(), signature: None });
        }
    }

    /// Ends the thinking that it belongs to.
    fn signature(&mut self, proof: &str, out: &mut Vec<u8>) {
        self.begin_reasoning(out);
        if let Some(Open::Reasoning { signature, .. }) = &mut self.open {
            *signature = Some(proof.to_owned());
        }
        self.close(false, out);
    }

    fn arguments(&mut self, of: u32, json: &str, out: &mut Vec<u8>) {
        let (id, at) = match &mut self.open {
            Some(Open::Call { id, index, call }) if *index == of => {
                call.arguments.push_str(json);
                (id.clone().into(), self.output.len())
            }
            // The next call has begun already; the answer at the end has them all.
            _ => match self.calls.get(&of).and_then(|at| self.output.get_mut(*at).map(|item| (*at, item))) {
                Some((at, item)) => {
                    let arguments = item["arguments"].as_str().unwrap_or_default().to_owned() + json;
                    item["arguments"] = arguments.into();
                    (item["id"].clone(), at)
                }
                None => return,
            },
        };
        let data = json!({"item_id": id, "output_index": at, "delta": json});
        self.event(out, "response.function_call_arguments.delta", data);
    }

    /// Ends the open item. `incomplete`: the answer was cut in it.
    fn close(&mut self, incomplete: bool, out: &mut Vec<u8>) {
        let status = if incomplete { "incomplete" } else { "completed" };
        match self.open.take() {
            None => {}
            Some(Open::Message { id, mut content, part }) => {
                self.finish_part(&id, content.len(), &part, out);
                content.push(part.value());
                self.finish_item(items::message(&id, status, &content), out);
            }
            Some(Open::Reasoning { id, text, signature }) => {
                if !text.is_empty() {
                    let at = json!({"item_id": id, "output_index": self.output.len(), "summary_index": 0});
                    let (mut done, mut part) = (at.clone(), at);
                    done["text"] = text.as_str().into();
                    part["part"] = items::summary_text(&text);
                    self.event(out, "response.reasoning_summary_text.done", done);
                    self.event(out, "response.reasoning_summary_part.done", part);
                }
                self.finish_item(items::reasoning(&id, Some(&text), signature.as_deref()), out);
            }
            Some(Open::Call { id, index, call }) => {
                self.calls.insert(index, self.output.len());
                let data = json!({"item_id": id, "output_index": self.output.len(), "name": call.name,
                    "arguments": call.arguments});
                self.event(out, "response.function_call_arguments.done", data);
                self.finish_item(items::function_call(&id, status, &call), out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let incomplete = self.stop.as_ref().and_then(|stop| items::incomplete_reason(stop, self.refused));
        self.close(incomplete.is_some(), out);
        let name = if incomplete.is_some() { "response.incomplete" } else { "response.completed" };
        let output = std::mem::take(&mut self.output);
        items::close(&mut self.frame, incomplete, output, self.usage.as_ref());
        self.event(out, name, json!({"response": self.frame}));
        self.over = true;
    }

    /// First for clients that follow the answer, then for those that only know errors: OpenAI's own libraries raise what
    /// they find under `error`.
    fn failed(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        if self.started {
            let code = match error.kind {
                ErrorType::RateLimit | ErrorType::InsufficientQuota => "rate_limit_exceeded",
                _ => "server_error",
            };
            self.close(true, out);
            let output = std::mem::take(&mut self.output);
            items::close(&mut self.frame, None, output, self.usage.as_ref());
            self.frame.insert("status".into(), "failed".into());
            self.frame.insert("error".into(), json!({"code": code, "message": error.message}));
            self.event(out, "response.failed", json!({"response": self.frame}));
        }
        let mut data = error.body(Dialect::Responses);
        data["code"] = error.code.into();
        data["message"] = error.message.as_str().into();
        data["param"] = error.param.clone().into();
        self.event(out, "error", data);
    }
}

impl Encoder for Items {
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
            self.failed(error, &mut out);
        }
        out.into()
    }
}
