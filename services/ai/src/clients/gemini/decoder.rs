//! Events of `streamGenerateContent?alt=sse`. The protocol has no last word: the answer is whole when every candidate has
//! its `finishReason` and the server closes.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Map;

use super::answer::{Answer, Candidate, LogprobsResult};
use crate::{
    clients::{Failure, refusal::Refusals, stream::Decoder, transport::malformed},
    domain::{
        chat::{ChatEvent, Part, TokenUsage},
        warnings::Warnings,
    },
};

pub(super) struct Responses {
    refusals: Refusals,
    /// For the first event.
    warnings: Option<Warnings>,
    id: Option<String>,
    usage: Option<TokenUsage>,
    candidates: BTreeMap<u32, Progress>,
}

#[derive(Default)]
struct Progress {
    calls: usize,
    ended: bool,
}

impl Responses {
    pub(super) fn new(refusals: Refusals, warnings: Warnings) -> Self {
        Self { refusals, warnings: Some(warnings), id: None, usage: None, candidates: BTreeMap::new() }
    }

    fn candidate(&mut self, mut candidate: Candidate, out: &mut VecDeque<ChatEvent>) {
        let choice = candidate.index;
        let progress = self.candidates.entry(choice).or_default();
        // There is no place for a warning after the first event.
        let parts = candidate.take_parts(self.id.as_deref(), progress.calls, &mut 0);
        let mut logprobs = candidate.logprobs_result.as_ref().map(LogprobsResult::to_openai);
        for part in parts {
            match part {
                Part::Text { text, .. } => {
                    out.push_back(ChatEvent::Text { choice, text, logprobs: logprobs.take() });
                }
                Part::Thinking { text, signature } => {
                    out.push_back(ChatEvent::Thinking { choice, text });
                    let signature = signature.map(|signature| ChatEvent::ThinkingSignature { choice, signature });
                    out.extend(signature);
                }
                Part::ToolCall(call) => {
                    let index = u32::try_from(progress.calls).unwrap_or(u32::MAX);
                    progress.calls += 1;
                    out.push_back(ChatEvent::ToolCallStarted { choice, index, id: call.id, name: call.name });
                    out.push_back(ChatEvent::ToolCallArguments { choice, index, json: call.arguments });
                }
                _ => {}
            }
        }
        if logprobs.is_some() {
            out.push_back(ChatEvent::Text { choice, text: String::new(), logprobs });
        }
        if let Some(stop) = candidate.stop(progress.calls > 0)
            && !std::mem::replace(&mut progress.ended, true)
        {
            out.push_back(ChatEvent::ChoiceEnded { choice, stop, stop_sequence: None });
        }
    }
}

impl Decoder for Responses {
    fn event(&mut self, _: &str, data: &str, out: &mut VecDeque<ChatEvent>) -> Result<(), Failure> {
        let answer: Answer = serde_json::from_str(data).map_err(|error| malformed(&error))?;
        if let Some(error) = &answer.error {
            return Err(self.refusals.of_error(None, error));
        }
        answer.check()?;
        if self.id.is_none() {
            self.id.clone_from(&answer.response_id);
        }
        if let Some(warnings) = self.warnings.take() {
            let (id, model) = (self.id.clone(), answer.model_version);
            out.push_back(ChatEvent::Started { id, model, extra: Map::new(), warnings });
        }
        for candidate in answer.candidates {
            self.candidate(candidate, out);
        }
        // Every event has the counts so far.
        let usage = answer.usage_metadata.map(Into::into);
        if usage.is_some() && usage != self.usage {
            self.usage = usage;
            out.extend(usage.map(ChatEvent::Usage));
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<ChatEvent>) -> bool {
        let whole = !self.candidates.is_empty() && self.candidates.values().all(|progress| progress.ended);
        if whole {
            out.push_back(ChatEvent::Ended);
        }
        whole
    }
}
