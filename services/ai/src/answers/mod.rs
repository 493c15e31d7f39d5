//! Answers that can be given again: the exact response cache, and calls that wait for another's identical one.
//!
//! Both are opt-in, and never cross organizations: the organization is part of the key. Only requests whose answer depends
//! on nothing but the request take part, see [`Key::of`].

mod flights;
mod key;

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use flights::{Flight, Flights, Work};
pub use key::Key;

use crate::domain::{
    chat::{Completion, Part, StopReason},
    json,
    money::NanoUsd,
};

/// What a provider made, shared by everybody who asked for the same.
#[derive(Debug)]
pub struct Produced {
    pub completion: Completion,
    pub cost: NanoUsd,
    /// Name of the provider, and its name of the model.
    pub provider: String,
    pub upstream_model: String,
    pub attempts: u32,
    /// Time that was the provider's and not ours.
    pub away: Duration,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    kept: Cache<Key, Arc<Produced>>,
    flights: Flights,
}

/// What there is for a request.
pub enum Joined {
    /// The answer.
    Kept(Arc<Produced>),
    /// The work that others wait for, or, when it is `own`, that has just begun.
    Flight { flight: Flight, own: bool },
}

impl Answers {
    /// Keeps answers of `bytes` together at most, each for `ttl` at most. With 0 bytes it keeps none.
    pub fn new(bytes: u64, ttl: Duration) -> Self {
        let kept = Cache::builder()
            .weigher(|_, produced: &Arc<Produced>| weight(&produced.completion))
            .max_capacity(bytes)
            .time_to_live(ttl)
            .build();
        Self { kept, flights: Flights::default() }
    }

    /// An earlier answer.
    pub fn get(&self, key: &Key) -> Option<Arc<Produced>> {
        self.kept.get(key)
    }

    /// An earlier answer, another's work towards one, or else `work`, which is dropped unused otherwise. `work` keeps its
    /// answer before it ends, so whoever finds neither is the only one.
    pub fn join(&self, key: Key, work: impl FnOnce() -> Work) -> Joined {
        self.flights.join(key, || self.get(&key), work)
    }

    /// Keeps an answer, unless it is one that should better be made anew.
    pub fn keep(&self, key: Key, produced: &Arc<Produced>) {
        let whole = |stop: &StopReason| {
            matches!(stop, StopReason::End | StopReason::StopSequence | StopReason::ToolCalls | StopReason::Length)
        };
        if produced.completion.choices.iter().all(|choice| whole(&choice.stop)) {
            self.kept.insert(key, Arc::clone(produced));
        }
    }
}

/// Bytes that an answer takes, about.
fn weight(completion: &Completion) -> u32 {
    const EACH: usize = 512;
    let length = |text: Option<&String>| text.map_or(0, String::len);
    let part = |part: &Part| match part {
        Part::Text { text, .. } | Part::Refusal { text } => text.len(),
        Part::Thinking { text, signature } => text.len() + length(signature.as_ref()),
        Part::ToolCall(call) => call.id.len() + call.name.len() + call.arguments.len(),
        Part::RedactedThinking { data } | Part::Audio { data, .. } => data.len(),
        Part::Other(value) => json::bytes(value),
        // Of requests only.
        Part::Image { .. } | Part::File { .. } | Part::ToolResult { .. } => 8 * EACH,
    };
    let choices = completion.choices.iter().map(|choice| {
        let logprobs = choice.logprobs.as_ref().map_or(0, |logprobs| 2 * json::bytes(logprobs));
        EACH + logprobs
            + length(choice.stop_sequence.as_ref())
            + choice.parts.iter().map(|this| EACH + part(this)).sum::<usize>()
    });
    let names = length(completion.id.as_ref()) + length(completion.model.as_ref());
    let warnings = completion.warnings.fields().iter().map(String::len).sum::<usize>();
    let whole = EACH + names + warnings + json::bytes(&completion.extra) + choices.sum::<usize>();
    u32::try_from(whole).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
