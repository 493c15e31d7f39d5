//! Events of a streamed message (<https://platform.claude.com/docs/en/build-with-claude/streaming>). It is over with
//! `message_stop` and not before.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{Usage, extra, stop_reason};
use crate::{
    clients::{Failure, Kind, refusal::Refusals, stream::Decoder, transport::malformed},
    domain::{chat::ChatEvent, warnings::Warnings},
};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: BlockDelta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: MessageDelta,
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, and what will be invented: clients shall pass over what they do not know.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
    },
    /// Of tools that the provider runs itself; what they lead to is in the text.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockDelta {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
}

pub(super) struct Events {
    refusals: Refusals,
    /// For the first event.
    warnings: Option<Warnings>,
    usage: Usage,
    /// Calls by the number of their block: their own number, and whether arguments came.
    calls: BTreeMap<u64, (u32, bool)>,
}

impl Events {
    pub(super) fn new(refusals: Refusals, warnings: Warnings) -> Self {
        Self { refusals, warnings: Some(warnings), usage: Usage::default(), calls: BTreeMap::new() }
    }

    fn block(&mut self, number: u64, block: Block) -> Option<ChatEvent> {
        match block {
            Block::Text { text } => some(text).map(|text| ChatEvent::Text { choice: 0, text, logprobs: None }),
            Block::Thinking { thinking } => some(thinking).map(|text| ChatEvent::Thinking { choice: 0, text }),
            Block::RedactedThinking { data } => Some(ChatEvent::RedactedThinking { choice: 0, data }),
            Block::ToolUse { id, name } => {
                let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
                self.calls.insert(number, (index, false));
                Some(ChatEvent::ToolCallStarted { choice: 0, index, id, name })
            }
            Block::Other => None,
        }
    }

    fn delta(&mut self, number: u64, delta: BlockDelta) -> Option<ChatEvent> {
        match delta {
            BlockDelta::TextDelta { text } => {
                some(text).map(|text| ChatEvent::Text { choice: 0, text, logprobs: None })
            }
            BlockDelta::ThinkingDelta { thinking } => {
                some(thinking).map(|text| ChatEvent::Thinking { choice: 0, text })
            }
            BlockDelta::SignatureDelta { signature } => {
                some(signature).map(|signature| ChatEvent::ThinkingSignature { choice: 0, signature })
            }
            // Without its call it belongs to a tool that the provider runs.
            BlockDelta::InputJsonDelta { partial_json } => {
                let (index, spoken) = self.calls.get_mut(&number)?;
                let json = some(partial_json)?;
                *spoken = true;
                Some(ChatEvent::ToolCallArguments { choice: 0, index: *index, json })
            }
            BlockDelta::Other => None,
        }
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl Decoder for Events {
    fn event(&mut self, _: &str, data: &str, out: &mut VecDeque<ChatEvent>) -> Result<(), Failure> {
        let event: Event = serde_json::from_str(data).map_err(|error| malformed(&error))?;
        if self.warnings.is_some() && !matches!(event, Event::MessageStart { .. } | Event::Error { .. } | Event::Other)
        {
            return Err(Failure::new(Kind::Malformed).caused_by("a stream without message_start"));
        }
        match event {
            Event::MessageStart { message } => {
                if let Some(mut warnings) = self.warnings.take() {
                    let mut more = message.extra;
                    for known in ["content", "stop_reason", "stop_sequence"] {
                        more.remove(known);
                    }
                    let more = extra(more, &mut warnings);
                    out.push_back(ChatEvent::Started { id: message.id, model: message.model, extra: more, warnings });
                }
                if let Some(usage) = message.usage {
                    self.usage.update(usage);
                    out.push_back(ChatEvent::Usage(self.usage.into()));
                }
            }
            Event::ContentBlockStart { index, content_block } => out.extend(self.block(index, content_block)),
            Event::ContentBlockDelta { index, delta } => out.extend(self.delta(index, delta)),
            Event::ContentBlockStop { index } => {
                // A call without arguments says nothing; an object is what everybody expects.
                if let Some((index, false)) = self.calls.get(&index) {
                    out.push_back(ChatEvent::ToolCallArguments { choice: 0, index: *index, json: "{}".into() });
                }
            }
            Event::MessageDelta { delta, usage } => {
                if let Some(reason) = delta.stop_reason {
                    let (stop, stop_sequence) = (stop_reason(Some(&reason)), delta.stop_sequence);
                    out.push_back(ChatEvent::ChoiceEnded { choice: 0, stop, stop_sequence });
                }
                if let Some(usage) = usage {
                    self.usage.update(usage);
                    out.push_back(ChatEvent::Usage(self.usage.into()));
                }
            }
            Event::MessageStop => out.push_back(ChatEvent::Ended),
            Event::Error { error } => return Err(self.refusals.of_error(None, &error)),
            Event::Other => {}
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut VecDeque<ChatEvent>) -> bool {
        false
    }
}
