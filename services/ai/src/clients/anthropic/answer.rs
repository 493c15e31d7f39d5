//! The answer of `POST /messages`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    clients::{Failure, Kind, refusal::Refusals, transport::malformed, unknown},
    domain::{
        chat::{Choice, Completion, Part, StopReason, TokenUsage, ToolCall},
        warnings::Warnings,
    },
};

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    model: Option<String>,
    content: Vec<Value>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: Option<Usage>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Token counts. In a stream they come in two parts, the later one with what has changed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Usage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Details {
    thinking_tokens: Option<u64>,
}

impl Usage {
    /// The counts so far with newer ones over them.
    pub(super) fn update(&mut self, newer: Self) {
        *self = Self {
            input_tokens: newer.input_tokens.or(self.input_tokens),
            cache_creation_input_tokens: newer.cache_creation_input_tokens.or(self.cache_creation_input_tokens),
            cache_read_input_tokens: newer.cache_read_input_tokens.or(self.cache_read_input_tokens),
            output_tokens: newer.output_tokens.or(self.output_tokens),
            output_tokens_details: newer.output_tokens_details.or(self.output_tokens_details),
        };
    }
}

impl From<Usage> for TokenUsage {
    /// Anthropic counts cached input apart from the rest.
    fn from(usage: Usage) -> Self {
        let cached_input = usage.cache_read_input_tokens.unwrap_or_default();
        let cache_write = usage.cache_creation_input_tokens.unwrap_or_default();
        let rest = usage.input_tokens.unwrap_or_default();
        Self {
            input: rest.saturating_add(cached_input).saturating_add(cache_write),
            cached_input,
            cache_write,
            output: usage.output_tokens.unwrap_or_default(),
            reasoning: usage.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or_default(),
        }
    }
}

pub(super) fn read(refusals: &Refusals, document: &[u8], mut warnings: Warnings) -> Result<Completion, Failure> {
    let answer: Answer = serde_json::from_slice(document)
        .map_err(|error| refusals.in_document(None, document).unwrap_or_else(|| malformed(&error)))?;
    let parts = answer.content.into_iter().filter_map(|block| part(block, &mut warnings).transpose());
    let choice = Choice {
        parts: parts.collect::<Result<_, _>>()?,
        stop: stop_reason(answer.stop_reason.as_deref()),
        stop_sequence: answer.stop_sequence,
        logprobs: None,
    };
    let extra = extra(answer.extra, &mut warnings);
    Ok(Completion {
        id: answer.id,
        model: answer.model,
        choices: vec![choice],
        usage: answer.usage.map(Into::into),
        extra,
        warnings,
    })
}

/// What of a message is neither known nor the form of the protocol, as far as it is small.
pub(super) fn extra(mut extra: Map<String, Value>, warnings: &mut Warnings) -> Map<String, Value> {
    extra.retain(|name, value| name != "type" && name != "role" && !value.is_null());
    unknown::fields(extra, warnings)
}

fn part(mut block: Value, warnings: &mut Warnings) -> Result<Option<Part>, Failure> {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut text = |name: &str| match block.get_mut(name).map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Failure::new(Kind::Malformed).caused_by(format!("a block without {name}"))),
    };
    Ok(Some(match kind.as_str() {
        "text" => {
            let text = text("text")?;
            if block.get("citations").and_then(Value::as_array).is_some_and(|citations| !citations.is_empty()) {
                warnings.dropped("content.citations");
            }
            if text.is_empty() {
                return Ok(None);
            }
            Part::text(text)
        }
        "thinking" => {
            let signature = text("signature").ok().filter(|signature| !signature.is_empty());
            Part::Thinking { text: text("thinking")?, signature }
        }
        "redacted_thinking" => Part::RedactedThinking { data: text("data")? },
        "tool_use" => {
            let (id, name) = (text("id")?, text("name")?);
            Part::ToolCall(ToolCall { id, name, arguments: block["input"].to_string() })
        }
        _ => return Ok(unknown::part(block, "content", warnings)),
    }))
}

pub(super) fn stop_reason(reason: Option<&str>) -> StopReason {
    match reason {
        Some("end_turn") | None => StopReason::End,
        Some("max_tokens" | "model_context_window_exceeded") => StopReason::Length,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("tool_use") => StopReason::ToolCalls,
        Some("refusal") => StopReason::Refusal,
        Some(other) => StopReason::Other(other.to_owned()),
    }
}
