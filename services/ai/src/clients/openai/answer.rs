//! The answer of `POST /chat/completions`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    clients::{Failure, Kind, refusal::Refusals, transport::malformed, unknown},
    domain::{
        chat::{Choice, Completion, Part, StopReason, TokenUsage, ToolCall},
        warnings::Warnings,
    },
};

/// Choices of an answer at most where the request did not say how many: as many as anybody may ask for.
const MOST_CHOICES: u32 = 8;
/// Tool calls of a choice at most: as many as the next request can bring back.
const MOST_CALLS: usize = 128;

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    model: Option<String>,
    choices: Vec<AnswerChoice>,
    usage: Option<Usage>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
struct AnswerChoice {
    #[serde(default)]
    index: u32,
    message: Message,
    finish_reason: Option<String>,
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
    /// What `vLLM`, `DeepSeek` and others call the thinking of a model.
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<Value>>,
    audio: Option<Value>,
    annotations: Option<Vec<Value>>,
}

/// Token counts; a stream has the same.
#[derive(Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        let prompt = usage.prompt_tokens_details.unwrap_or_default();
        Self {
            input: usage.prompt_tokens,
            cached_input: prompt.cached_tokens.unwrap_or_default(),
            cache_write: prompt.cache_write_tokens.unwrap_or_default(),
            output: usage.completion_tokens,
            reasoning: usage.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or_default(),
        }
    }
}

/// `n`: how many choices were asked for.
pub(super) fn read(
    refusals: &Refusals,
    document: &[u8],
    n: Option<u32>,
    mut warnings: Warnings,
) -> Result<Completion, Failure> {
    let answer: Answer = serde_json::from_slice(document).map_err(|error| {
        // Some servers of the family say 200 and put the error inside.
        refusals.in_document(None, document).unwrap_or_else(|| malformed(&error))
    })?;
    let mut extra = answer.extra;
    for known in ["object", "created"] {
        extra.remove(known);
    }
    let extra = unknown::fields(extra, &mut warnings);
    let mut choices = answer.choices;
    check_choices(choices.len(), n)?;
    choices.sort_by_key(|choice| choice.index);
    if choices.is_empty() {
        return Err(Failure::new(Kind::Malformed).caused_by("an answer without choices"));
    }
    let choices = choices.into_iter().map(|choice| read_choice(choice, &mut warnings)).collect::<Result<_, _>>()?;
    Ok(Completion { id: answer.id, model: answer.model, choices, usage: answer.usage.map(Into::into), extra, warnings })
}

fn read_choice(choice: AnswerChoice, warnings: &mut Warnings) -> Result<Choice, Failure> {
    let message = choice.message;
    let mut parts = Vec::new();
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    parts.extend(text(message.reasoning_content).map(|text| Part::Thinking { text, signature: None }));
    parts.extend(text(message.content).map(Part::text));
    parts.extend(text(message.refusal).map(|text| Part::Refusal { text }));
    if message.audio.is_some_and(|audio| !audio.is_null()) {
        warnings.dropped("choices.message.audio");
    }
    if message.annotations.is_some_and(|annotations| !annotations.is_empty()) {
        warnings.dropped("choices.message.annotations");
    }
    let calls = message.tool_calls.unwrap_or_default();
    check_calls(calls.len())?;
    for call in calls {
        parts.extend(tool_call(call, warnings)?);
    }
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    Ok(Choice {
        parts,
        stop: stop_reason(choice.finish_reason.as_deref(), called),
        stop_sequence: None,
        logprobs: choice.logprobs.filter(|logprobs| !logprobs.is_null()),
    })
}

/// Err when there are more than the `n` that were asked for.
pub(super) fn check_choices(choices: usize, n: Option<u32>) -> Result<(), Failure> {
    let most = n.unwrap_or(MOST_CHOICES);
    if u32::try_from(choices).is_ok_and(|choices| choices <= most) {
        return Ok(());
    }
    Err(Failure::new(Kind::Malformed).caused_by(format!("more than {most} choices")))
}

/// Err when a choice has too many.
pub(super) fn check_calls(calls: usize) -> Result<(), Failure> {
    if calls <= MOST_CALLS {
        return Ok(());
    }
    Err(Failure::new(Kind::Malformed).caused_by(format!("more than {MOST_CALLS} tool calls")))
}

fn tool_call(mut call: Value, warnings: &mut Warnings) -> Result<Option<Part>, Failure> {
    let Some(function) = call.get_mut("function") else {
        return Ok(unknown::part(call, "choices.message.tool_calls", warnings));
    };
    let Some(Value::String(name)) = function.get_mut("name").map(Value::take) else {
        return Err(Failure::new(Kind::Malformed).caused_by("a tool call without a name"));
    };
    let arguments = function.get_mut("arguments").map(Value::take).map(arguments).unwrap_or_default();
    let id = call.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(Part::ToolCall(ToolCall { id, name, arguments })))
}

/// Arguments are text; some servers send the object itself.
pub(super) fn arguments(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

/// `called`: tools were called. Some servers then say `stop` all the same.
pub(super) fn stop_reason(reason: Option<&str>, called: bool) -> StopReason {
    match reason {
        Some("stop") | None if called => StopReason::ToolCalls,
        Some("stop" | "eos") | None => StopReason::End,
        Some("length") => StopReason::Length,
        Some("tool_calls" | "function_call") => StopReason::ToolCalls,
        Some("content_filter") => StopReason::ContentFilter,
        Some(other) => StopReason::Other(other.to_owned()),
    }
}
