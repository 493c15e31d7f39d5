//! One chat model for every protocol: a superset of OpenAI's chat completions and responses, Anthropic's messages and
//! Gemini's generateContent. A protocol parses into it, a provider's adapter encodes from it, and back.
//!
//! What only one protocol knows travels in `extra` and reaches providers of the same family untouched; an adapter that
//! cannot carry something says so with a [warning](super::warnings::Warnings).

use serde::Serialize;
use serde_json::{Map, Value};

use super::warnings::Warnings;

/// The protocol in which a request came, and in which its answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI `/v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `/v1/responses`.
    Responses,
    /// Anthropic `/v1/messages`.
    Messages,
}

impl Dialect {
    /// In metrics, usage records and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }
}

/// What is asked of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatRequest {
    pub dialect: Dialect,
    /// The alias that the caller named.
    pub model: String,
    /// In order; system and developer messages keep their place.
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_tool_calls: Option<bool>,
    /// Most tokens to produce, reasoning included.
    pub max_tokens: Option<u32>,
    pub sampling: Sampling,
    /// Sequences that end the answer.
    pub stop: Vec<String>,
    pub response_format: Option<ResponseFormat>,
    pub reasoning: Option<Reasoning>,
    /// How many answers; 1 when absent.
    pub n: Option<u32>,
    pub logprobs: Option<Logprobs>,
    /// The caller's own id of its end user.
    pub user: Option<String>,
    pub metadata: Map<String, Value>,
    pub stream: bool,
    /// A stream ends with its usage (always so in the dialects that do it by themselves).
    pub include_usage: bool,
    /// Fields that this type does not know, in the words of the caller's family: those of chat completions for both of
    /// OpenAI's dialects, those of messages for Anthropic's.
    pub extra: Map<String, Value>,
    /// What the caller asks of us and not of the model.
    pub brainops: BrainOps,
    /// What only the form of the answer depends on; no provider sees it.
    pub echo: Echo,
}

/// The `brainops` object of a body, or the headers that stand for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BrainOps {
    /// The conversation that the call belongs to. Naming one asks for recalling and remembering, unless it is said otherwise.
    pub session_id: Option<String>,
    /// Which of an application's users talks; `None`: the caller.
    pub user: Option<String>,
    /// How many memories to put before the model at most, 0 for none; `None`: as the session has it.
    pub recall: Option<u32>,
    /// Whether to keep this turn in memory; `None`: as the session has it.
    pub remember: Option<bool>,
    /// Whether an earlier answer to the same request will do; `None`: as the key or the organization has it.
    pub cache: Option<CacheMode>,
}

impl BrainOps {
    /// Memories of a call that does not say how many.
    pub const USUAL_MEMORIES: u32 = 8;

    /// How many memories to look for, at most.
    pub fn recalls(&self) -> u32 {
        self.recall.unwrap_or(if self.session_id.is_some() { Self::USUAL_MEMORIES } else { 0 })
    }

    /// The conversation in which the turn is kept, if it is.
    pub fn remembers_in(&self) -> Option<&str> {
        self.session_id.as_deref().filter(|_| self.remember.unwrap_or(true))
    }
}

/// The exact response cache, for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheMode {
    Use,
    Off,
}

/// Pieces of a request that its answer repeats or follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Echo {
    /// The `instructions` of responses; the model reads them as the first message.
    pub instructions: Option<String>,
    /// The tools came as `functions`, which chat completions had before it had tools, so calls leave as `function_call`.
    pub legacy_functions: bool,
}

/// How the next token is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u32>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub seed: Option<i64>,
    /// Token id (as text, as in OpenAI's schema) to bias.
    pub logit_bias: Map<String, Value>,
}

/// Log probabilities of the chosen tokens, and of how many alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Logprobs {
    pub top: Option<u8>,
}

/// How much the model may think before it answers. Nothing but `None` is Anthropic's `adaptive`: as much as the model
/// sees fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reasoning {
    /// `minimal`, `low`, `medium`, `high`, … as OpenAI has it; `none` is Anthropic's `disabled`.
    pub effort: Option<String>,
    /// Tokens for thinking, as Anthropic and Gemini have it.
    pub budget_tokens: Option<u32>,
    /// OpenAI's `reasoning.summary`.
    pub summary: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { name: String, description: Option<String>, schema: Value, strict: Option<bool> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    System,
    Developer,
    User,
    Assistant,
    /// Holds one [`Part::ToolResult`].
    Tool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    pub role: MessageRole,
    pub parts: Vec<Part>,
    pub name: Option<String>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Part {
    /// `cache` is Anthropic's `cache_control`, passed through.
    Text {
        text: String,
        cache: Option<Value>,
    },
    Image {
        source: MediaSource,
        detail: Option<String>,
        cache: Option<Value>,
    },
    /// Base64 data and its format: `wav`, `mp3`.
    Audio {
        data: String,
        format: String,
    },
    File {
        source: MediaSource,
        filename: Option<String>,
        cache: Option<Value>,
    },
    /// The model asks for a tool.
    ToolCall(ToolCall),
    /// The answer of a tool.
    ToolResult {
        call_id: String,
        parts: Vec<Part>,
        is_error: bool,
        cache: Option<Value>,
    },
    /// What the model thought; `signature` proves to Anthropic that it was not changed.
    Thinking {
        text: String,
        signature: Option<String>,
    },
    /// Anthropic's encrypted thinking, to be sent back unchanged.
    RedactedThinking {
        data: String,
    },
    Refusal {
        text: String,
    },
    /// A part that only its own dialect knows, whole. In an assistant's message of chat completions it may be a tool call
    /// of another type than `function`.
    Other(Value),
}

impl Part {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum MediaSource {
    Url(String),
    /// `data` is base64.
    Inline {
        media_type: String,
        data: String,
    },
    /// A file that was uploaded to the provider.
    FileId(String),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// A JSON object as text, exactly as the model wrote it (it may be malformed).
    pub arguments: String,
}

/// A function that the model may ask for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Tool {
    Function {
        name: String,
        description: Option<String>,
        /// JSON Schema of the arguments.
        parameters: Option<Value>,
        strict: Option<bool>,
        cache: Option<Value>,
    },
    /// A tool that the provider runs itself, or of a type that only its dialect knows; passed through to the same
    /// family, whole.
    Other(Value),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    Function(String),
    /// Whole, in the words of the caller's family as in [`ChatRequest::extra`]: `allowed_tools`, `custom`.
    Other(Value),
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The provider's name of the model that answered.
    pub model: Option<String>,
    pub choices: Vec<Choice>,
    pub usage: Option<TokenUsage>,
    /// Top-level fields of the provider's answer that this type does not know (`system_fingerprint`, `service_tier`),
    /// kept for a caller of the same family.
    pub extra: Map<String, Value>,
    /// What could not be carried to the provider or back.
    pub warnings: Warnings,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// [`Part::Text`], [`Part::ToolCall`], [`Part::Thinking`], [`Part::Refusal`] … in the order of their making.
    pub parts: Vec<Part>,
    pub stop: StopReason,
    /// The stop sequence that ended it, where the provider tells.
    pub stop_sequence: Option<String>,
    /// OpenAI's `logprobs` object.
    pub logprobs: Option<Value>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model was done.
    End,
    /// `max_tokens`, or the context window, was used up.
    Length,
    StopSequence,
    ToolCalls,
    /// The provider's safety system cut it.
    ContentFilter,
    Refusal,
    /// Anthropic's `pause_turn` and whatever comes next.
    Other(String),
}

impl StopReason {
    /// In usage records, events and traces. Not for metrics: [`Other`](Self::Other) may be anything.
    pub fn as_str(&self) -> &str {
        match self {
            Self::End => "end",
            Self::Length => "length",
            Self::StopSequence => "stop_sequence",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Other(other) => other,
        }
    }
}

/// Tokens as the provider counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenUsage {
    /// All input, what was cached included (Anthropic counts the cached apart; its adapter adds them up).
    pub input: u64,
    /// Part of `input` that was read from the provider's prompt cache.
    pub cached_input: u64,
    /// Part of `input` that was written to the provider's prompt cache.
    pub cache_write: u64,
    /// All output, reasoning included.
    pub output: u64,
    /// Part of `output`.
    pub reasoning: u64,
}

impl TokenUsage {
    /// Input and output.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// A piece of a streamed answer. A stream is `Started`, then any of the middle ones, then `ChoiceEnded` for each choice,
/// `Usage` when known, and `Ended` last. A stream without `Ended` was cut.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// `extra` as in [`Completion::extra`].
    Started {
        id: Option<String>,
        model: Option<String>,
        extra: Map<String, Value>,
        warnings: Warnings,
    },
    Text {
        choice: u32,
        text: String,
        logprobs: Option<Value>,
    },
    Refusal {
        choice: u32,
        text: String,
    },
    Thinking {
        choice: u32,
        text: String,
    },
    /// Belongs to the thinking before it.
    ThinkingSignature {
        choice: u32,
        signature: String,
    },
    RedactedThinking {
        choice: u32,
        data: String,
    },
    /// `index` numbers the calls of a choice from 0.
    ToolCallStarted {
        choice: u32,
        index: u32,
        id: String,
        name: String,
    },
    /// The next characters of the arguments.
    ToolCallArguments {
        choice: u32,
        index: u32,
        json: String,
    },
    ChoiceEnded {
        choice: u32,
        stop: StopReason,
        stop_sequence: Option<String>,
    },
    /// The count so far or at the end; the last one holds.
    Usage(TokenUsage),
    Ended,
}
