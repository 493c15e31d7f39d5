//! OpenAI `/v1/chat/completions`.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>. `reasoning_content`, `top_k` and `cache_control` are not
//! OpenAI's: the first is `DeepSeek`'s and vLLM's name for thinking, the second vLLM's, the third Anthropic's, accepted on
//! parts and tools so that callers with OpenAI's library can use Anthropic's prompt cache.

mod messages;
mod parse;
mod render;
mod stream;

pub(super) use parse::{choice_word, json_schema, parse};
pub(super) use render::render;
pub(super) use stream::encoder;

use serde_json::{Value, json};

use crate::domain::chat::{StopReason, TokenUsage};

/// `usage` of an answer.
fn usage(usage: &TokenUsage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached_input, "cache_write_tokens": usage.cache_write},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// `refused`: the answer has a refusal in words, which OpenAI counts as a normal end.
fn finish_reason(stop: &StopReason, refused: bool, legacy_functions: bool) -> &'static str {
    match stop {
        StopReason::Length => "length",
        StopReason::ToolCalls if legacy_functions => "function_call",
        StopReason::ToolCalls => "tool_calls",
        StopReason::ContentFilter => "content_filter",
        StopReason::Refusal if !refused => "content_filter",
        StopReason::End | StopReason::StopSequence | StopReason::Refusal | StopReason::Other(_) => "stop",
    }
}
