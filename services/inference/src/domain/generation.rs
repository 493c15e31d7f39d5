//! One completion: what is asked for and how it ends.

use super::{json_schema::Schema, prompt::Prompt};

/// How tokens are chosen. The ranges are those of OpenAI's API.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 (always the likeliest token) to 2; `None` for what suits the model.
    pub temperature: Option<f32>,
    /// Above 0, up to 1: only the likeliest tokens that together have this share of the probability.
    pub top_p: f32,
    /// −2 to 2: lowers a token's logit by this for each time it was written already.
    pub frequency_penalty: f32,
    /// −2 to 2: lowers a token's logit by this once it was written.
    pub presence_penalty: f32,
    /// The same seed with the same request gives the same answer.
    pub seed: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: None, top_p: 1.0, frequency_penalty: 0.0, presence_penalty: 0.0, seed: 0 }
    }
}

/// What the answer must look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema(Schema),
}

/// What a caller wants besides the prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    pub sampling: Sampling,
    /// Tokens to write at most; what the context has left limits them too.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    pub format: OutputFormat,
}

/// One completion, ready for an engine.
#[derive(Clone, Debug)]
pub struct Generation {
    pub prompt: Prompt,
    pub options: Options,
    /// Which field of the request the prompt was, for the error when it is too long.
    pub param: &'static str,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done, or wrote a stop text.
    Stop,
    /// `max_tokens` or the context was used up.
    Length,
}

impl FinishReason {
    /// As OpenAI's API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

/// Tokens of one completion. Those that end an answer are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// More text; never empty.
    Text(String),
    /// The end; nothing follows.
    Finished { reason: FinishReason, usage: Usage },
}
