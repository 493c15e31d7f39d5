//! Chunks of a streamed chat completion. The answer is over with `[DONE]`, or when every choice has its `finish_reason`
//! and the server closes.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{Usage, arguments, check_calls, check_choices, stop_reason};
use crate::{
    clients::{Failure, Kind, refusal::Refusals, stream::Decoder, transport::malformed, unknown},
    domain::{chat::ChatEvent, warnings::Warnings},
};

#[derive(Deserialize)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    #[serde(default)]
    choices: Vec<ChunkChoice>,
    usage: Option<Usage>,
    error: Option<Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
    logprobs: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<Value>,
}

pub(super) struct Chunks {
    refusals: Refusals,
    /// How many choices were asked for.
    n: Option<u32>,
    /// For the first event.
    warnings: Option<Warnings>,
    choices: BTreeMap<u32, Progress>,
}

#[derive(Default)]
struct Progress {
    /// The provider's numbers of the calls so far; their places are ours.
    calls: Vec<u64>,
    ended: bool,
}

impl Chunks {
    pub(super) fn new(refusals: Refusals, n: Option<u32>, warnings: Warnings) -> Self {
        Self { refusals, n, warnings: Some(warnings), choices: BTreeMap::new() }
    }

    fn choice(&mut self, delta: ChunkChoice, out: &mut VecDeque<ChatEvent>) -> Result<(), Failure> {
        let choice = delta.index;
        if !self.choices.contains_key(&choice) {
            check_choices(self.choices.len() + 1, self.n)?;
        }
        let progress = self.choices.entry(choice).or_default();
        let ChunkChoice { delta, finish_reason, mut logprobs, .. } = delta;
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(text) = some(delta.reasoning_content) {
            out.push_back(ChatEvent::Thinking { choice, text });
        }
        let logprobs = logprobs.take_if(|logprobs| !logprobs.is_null());
        // A token may be no text yet (half a character) and still have its probability.
        if delta.content.as_ref().is_some_and(|text| !text.is_empty()) || logprobs.is_some() {
            out.push_back(ChatEvent::Text { choice, text: delta.content.unwrap_or_default(), logprobs });
        }
        if let Some(text) = some(delta.refusal) {
            out.push_back(ChatEvent::Refusal { choice, text });
        }
        for call in delta.tool_calls.unwrap_or_default() {
            progress.call(choice, call, out)?;
        }
        if let Some(reason) = finish_reason
            && !std::mem::replace(&mut progress.ended, true)
        {
            let stop = stop_reason(Some(&reason), !progress.calls.is_empty());
            out.push_back(ChatEvent::ChoiceEnded { choice, stop, stop_sequence: None });
        }
        Ok(())
    }
}

impl Progress {
    fn call(&mut self, choice: u32, call: CallDelta, out: &mut VecDeque<ChatEvent>) -> Result<(), Failure> {
        let function = call.function.unwrap_or(FunctionDelta { name: None, arguments: None });
        let name = function.name.filter(|name| !name.is_empty());
        // Servers that leave the number out send each call whole.
        let number = call.index.unwrap_or_else(|| match (&name, self.calls.last()) {
            (None, Some(last)) => *last,
            (_, last) => last.map_or(0, |last| last.saturating_add(1)),
        });
        let known = self.calls.iter().position(|known| *known == number);
        let index = u32::try_from(known.unwrap_or(self.calls.len())).unwrap_or(u32::MAX);
        if known.is_none() {
            let name = name.ok_or_else(|| Failure::new(Kind::Malformed).caused_by("a tool call without a name"))?;
            check_calls(self.calls.len() + 1)?;
            self.calls.push(number);
            out.push_back(ChatEvent::ToolCallStarted { choice, index, id: call.id.unwrap_or_default(), name });
        }
        let json = function.arguments.map(arguments).unwrap_or_default();
        if !json.is_empty() {
            out.push_back(ChatEvent::ToolCallArguments { choice, index, json });
        }
        Ok(())
    }
}

impl Decoder for Chunks {
    fn event(&mut self, _: &str, data: &str, out: &mut VecDeque<ChatEvent>) -> Result<(), Failure> {
        if data == "[DONE]" {
            if self.choices.is_empty() {
                return Err(Failure::new(Kind::Malformed).caused_by("a stream without choices"));
            }
            for (choice, progress) in &mut self.choices {
                if !std::mem::replace(&mut progress.ended, true) {
                    let stop = stop_reason(None, !progress.calls.is_empty());
                    out.push_back(ChatEvent::ChoiceEnded { choice: *choice, stop, stop_sequence: None });
                }
            }
            out.push_back(ChatEvent::Ended);
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| malformed(&error))?;
        if let Some(error) = chunk.error {
            return Err(self.refusals.of_error(None, &error));
        }
        if let Some(mut warnings) = self.warnings.take() {
            let mut extra = chunk.extra;
            for known in ["object", "created", "obfuscation"] {
                extra.remove(known);
            }
            extra.retain(|_, value| !value.is_null());
            let extra = unknown::fields(extra, &mut warnings);
            out.push_back(ChatEvent::Started { id: chunk.id, model: chunk.model, extra, warnings });
        }
        for choice in chunk.choices {
            self.choice(choice, out)?;
        }
        if let Some(usage) = chunk.usage {
            out.push_back(ChatEvent::Usage(usage.into()));
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<ChatEvent>) -> bool {
        let whole = !self.choices.is_empty() && self.choices.values().all(|progress| progress.ended);
        if whole {
            out.push_back(ChatEvent::Ended);
        }
        whole
    }
}
