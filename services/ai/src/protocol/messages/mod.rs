//! Anthropic `/v1/messages`.
//!
//! Sources: <https://docs.anthropic.com/en/api/messages>, <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

mod blocks;
mod parse;
mod render;
mod stream;

pub(super) use parse::{parse, parse_count};
pub(super) use render::render;
pub(super) use stream::encoder;

use serde_json::{Value, json};

use crate::domain::chat::{StopReason, TokenUsage};

/// `usage` of an answer. Anthropic counts what came from the prompt cache, and what went into it, apart from the input.
fn usage(usage: &TokenUsage) -> Value {
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached_input).saturating_sub(usage.cache_write),
        "cache_read_input_tokens": usage.cached_input,
        "cache_creation_input_tokens": usage.cache_write,
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    })
}

/// `called`: the answer asks for tools. Some providers call that a normal end, but Anthropic's callers go by the reason
/// when they decide whether to run them.
fn stop_reason(stop: &StopReason, called: bool) -> &str {
    match stop {
        StopReason::Length => "max_tokens",
        StopReason::StopSequence => "stop_sequence",
        StopReason::ToolCalls => "tool_use",
        StopReason::End if called => "tool_use",
        StopReason::ContentFilter | StopReason::Refusal => "refusal",
        StopReason::Other(reason) if matches!(reason.as_str(), "pause_turn" | "model_context_window_exceeded") => {
            reason
        }
        StopReason::End | StopReason::Other(_) => "end_turn",
    }
}
