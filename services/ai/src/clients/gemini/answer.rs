//! The answer of `generateContent`. An event of its stream has the same form.

use serde::Deserialize;
use serde_json::{Value, json};

use super::SIGNATURE_PREFIX;
use crate::{
    clients::{Failure, Kind, refusal::Refusals, transport::malformed},
    domain::{
        chat::{Choice, Completion, Part, StopReason, TokenUsage, ToolCall},
        warnings::Warnings,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    pub(super) usage_metadata: Option<Usage>,
    pub(super) model_version: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default)]
    pub(super) index: u32,
    content: Option<Content>,
    pub(super) finish_reason: Option<String>,
    pub(super) logprobs_result: Option<LogprobsResult>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<AnswerPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerPart {
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are Google's")]
pub(super) struct Usage {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    tool_use_prompt_token_count: u64,
    #[serde(default)]
    cached_content_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogprobsResult {
    #[serde(default)]
    chosen_candidates: Vec<Token>,
    #[serde(default)]
    top_candidates: Vec<TopTokens>,
}

#[derive(Deserialize)]
struct TopTokens {
    #[serde(default)]
    candidates: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    token: String,
    #[serde(default)]
    log_probability: f64,
}

impl From<Usage> for TokenUsage {
    /// Google counts thoughts apart from the answer.
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_token_count.saturating_add(usage.tool_use_prompt_token_count),
            cached_input: usage.cached_content_token_count,
            cache_write: 0,
            output: usage.candidates_token_count.saturating_add(usage.thoughts_token_count),
            reasoning: usage.thoughts_token_count,
        }
    }
}

impl Answer {
    /// A prompt that is refused has no candidates but a reason.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match &self.prompt_feedback {
            Some(Feedback { block_reason: Some(reason) }) => Err(Failure {
                message: Some(format!("The prompt was blocked: {}", reason.chars().take(100).collect::<String>())),
                code: Some(reason.chars().take(100).collect()),
                ..Failure::new(Kind::ContentFiltered)
            }),
            _ => Ok(()),
        }
    }
}

impl Candidate {
    /// What it says. `response` makes ids for calls that came without, of which there were `calls` before; what cannot be
    /// carried (pictures, code that ran) is counted in `dropped`.
    pub(super) fn take_parts(&mut self, response: Option<&str>, mut calls: usize, dropped: &mut usize) -> Vec<Part> {
        let mut parts = Vec::new();
        for part in self.content.take().map(|content| content.parts).unwrap_or_default() {
            let signature = part.thought_signature.map(|signature| format!("{SIGNATURE_PREFIX}{signature}"));
            match part {
                AnswerPart { function_call: Some(call), .. } => {
                    // A call's signature must come back with the call, so it stands right before it.
                    if signature.is_some() {
                        parts.push(Part::Thinking { text: String::new(), signature });
                    }
                    let id = call.id.unwrap_or_else(|| format!("call_{}_{calls}", response.unwrap_or_default()));
                    calls += 1;
                    let arguments = call.args.unwrap_or_else(|| json!({})).to_string();
                    parts.push(Part::ToolCall(ToolCall { id, name: call.name, arguments }));
                }
                AnswerPart { text: Some(text), thought: true, .. } => parts.push(Part::Thinking { text, signature }),
                // A text's signature may come back but need not, and nothing else could carry it.
                AnswerPart { text: Some(text), .. } if !text.is_empty() => parts.push(Part::text(text)),
                AnswerPart { text: Some(_), .. } => {}
                _ => *dropped += 1,
            }
        }
        parts
    }

    pub(super) fn stop(&self, called: bool) -> Option<StopReason> {
        Some(match self.finish_reason.as_deref()? {
            "STOP" if called => StopReason::ToolCalls,
            "STOP" => StopReason::End,
            "MAX_TOKENS" => StopReason::Length,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR" => StopReason::ContentFilter,
            other => StopReason::Other(other.to_ascii_lowercase()),
        })
    }
}

impl LogprobsResult {
    /// In OpenAI's form.
    pub(super) fn to_openai(&self) -> Value {
        let one = |token: &Token| json!({"token": token.token, "logprob": token.log_probability, "bytes": token.token.as_bytes()});
        let content: Vec<_> = self
            .chosen_candidates
            .iter()
            .enumerate()
            .map(|(i, token)| {
                let top = self.top_candidates.get(i).map(|top| top.candidates.iter().map(one).collect::<Vec<_>>());
                let mut token = one(token);
                token["top_logprobs"] = top.unwrap_or_default().into();
                token
            })
            .collect();
        json!({"content": content, "refusal": null})
    }
}

pub(super) fn read(refusals: &Refusals, document: &[u8], mut warnings: Warnings) -> Result<Completion, Failure> {
    let answer: Answer = serde_json::from_slice(document).map_err(|error| malformed(&error))?;
    if let Some(error) = &answer.error {
        return Err(refusals.of_error(None, error));
    }
    if answer.candidates.is_empty() {
        answer.check()?;
        return Err(Failure::new(Kind::Malformed).caused_by("an answer without candidates"));
    }
    let id = answer.response_id;
    let mut candidates = answer.candidates;
    candidates.sort_by_key(|candidate| candidate.index);
    let mut dropped = 0;
    let choices = candidates
        .into_iter()
        .map(|mut candidate| {
            let parts = candidate.take_parts(id.as_deref(), 0, &mut dropped);
            let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            Choice {
                parts: joined(parts),
                stop: candidate.stop(called).unwrap_or(StopReason::End),
                stop_sequence: None,
                logprobs: candidate.logprobs_result.as_ref().map(LogprobsResult::to_openai),
            }
        })
        .collect();
    if dropped > 0 {
        warnings.dropped("candidates.content.parts");
    }
    let usage = answer.usage_metadata.map(Into::into);
    Ok(Completion { id, model: answer.model_version, choices, usage, extra: serde_json::Map::new(), warnings })
}

/// Neighbours that are one text are one part.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut whole: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (whole.last_mut(), part) {
            (Some(Part::Text { text, .. }), Part::Text { text: more, .. }) => text.push_str(&more),
            (Some(Part::Thinking { text, signature: unsigned @ None }), Part::Thinking { text: more, signature }) => {
                text.push_str(&more);
                *unsigned = signature;
            }
            (_, part) => whole.push(part),
        }
    }
    whole
}
