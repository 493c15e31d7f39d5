//! The shapes of OpenAI's protocol, as far as they are supported
//! (<https://platform.openai.com/docs/api-reference/chat/create>).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{OpenAi, Unsupported, nothing};
use crate::domain::{generation::Usage, json_schema::Json};

/// A conversation to be continued.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatCompletionRequest {
    /// A name from `GET /v1/models`.
    #[schema(example = "local-chat")]
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Send the answer as it is written, as server-sent events.
    pub stream: Option<bool>,
    /// What a stream tells besides the text.
    pub stream_options: Option<StreamOptions>,
    /// The older name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    pub max_tokens: Option<i64>,
    /// Tokens to write at most. What the context has left beside the prompt is a limit too.
    #[schema(minimum = 1)]
    pub max_completion_tokens: Option<i64>,
    /// How freely tokens are chosen. Left out, it is what suits the model: 0 for a base model, 0.7 for others.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Choose among the likeliest tokens that together have this share of the probability.
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// Makes tokens less likely for each time they were written.
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// Makes tokens less likely once they were written.
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// The same seed with the same request gives the same answer.
    pub seed: Option<i64>,
    /// A text, or up to 16 of them, that ends the answer and is not part of it.
    #[schema(value_type = Option<Object>)]
    pub stop: Option<Value>,
    /// Answers to write; only 1.
    #[schema(minimum = 1, maximum = 1)]
    pub n: Option<i64>,
    /// What the answer must look like.
    pub response_format: Option<ResponseFormat>,
    /// Not supported; refused unless empty.
    #[schema(value_type = Option<Object>)]
    pub tools: Option<Value>,
    /// Not supported; refused unless `none` or `auto`.
    #[schema(value_type = Option<Object>)]
    pub tool_choice: Option<Value>,
    /// Not supported; refused unless empty.
    #[schema(value_type = Option<Object>)]
    pub functions: Option<Value>,
    /// Not supported; refused unless `none` or `auto`.
    #[schema(value_type = Option<Object>)]
    pub function_call: Option<Value>,
    /// Not supported; refused unless false.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Value>,
    /// Not supported; refused unless 0.
    #[schema(value_type = Option<Object>)]
    pub top_logprobs: Option<Value>,
    /// Not supported; refused unless empty.
    #[schema(value_type = Option<Object>)]
    pub logit_bias: Option<Value>,
    /// Only text; anything else is refused.
    #[schema(value_type = Option<Object>)]
    pub modalities: Option<Value>,
    /// Not supported; refused.
    #[schema(value_type = Option<Object>)]
    pub audio: Option<Value>,
    /// Not supported; refused.
    #[schema(value_type = Option<Object>)]
    pub web_search_options: Option<Value>,
}

impl OpenAi for ChatCompletionRequest {
    fn unsupported(&self) -> Vec<Unsupported<'_>> {
        vec![
            ("tools", &self.tools, nothing::empty),
            ("tool_choice", &self.tool_choice, nothing::no_choice),
            ("functions", &self.functions, nothing::empty),
            ("function_call", &self.function_call, nothing::no_choice),
            ("logprobs", &self.logprobs, nothing::off),
            ("top_logprobs", &self.top_logprobs, nothing::zero),
            ("logit_bias", &self.logit_bias, nothing::empty),
            ("modalities", &self.modalities, nothing::text_only),
            ("audio", &self.audio, nothing::never),
            ("web_search_options", &self.web_search_options, nothing::never),
        ]
    }
}

/// One message of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatMessage {
    /// `system` or `developer` for instructions and facts, `user`, or `assistant`.
    #[schema(example = "user")]
    pub role: String,
    /// A text, or a list of parts `{"type": "text", "text": …}`.
    #[schema(value_type = Object, example = "What is the capital of France?")]
    pub content: Option<Value>,
    /// Not supported; refused unless empty.
    #[schema(value_type = Option<Object>)]
    pub tool_calls: Option<Value>,
}

/// What a stream tells besides the text.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// Send a last chunk without text and with the usage.
    pub include_usage: Option<bool>,
}

/// What an answer must look like.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// One JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema {
        /// The schema.
        json_schema: JsonSchemaFormat,
    },
}

/// A schema for an answer. It is always followed to the letter; what cannot be is refused.
#[derive(Debug, Deserialize, ToSchema)]
pub struct JsonSchemaFormat {
    /// JSON Schema with `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`, `const`, `anyOf`,
    /// `$ref` into itself, counts of characters and items, bounds of integers, and dates, times and UUIDs as `format`.
    #[schema(value_type = Object)]
    pub schema: Option<Json>,
}

/// A text to be continued.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CompletionRequest {
    /// A name from `GET /v1/models`.
    #[schema(example = "local-chat")]
    pub model: String,
    /// The text, or a list of one.
    #[schema(value_type = Object, example = "Once upon a time")]
    pub prompt: Value,
    /// Send the continuation as it is written, as server-sent events.
    pub stream: Option<bool>,
    /// What a stream tells besides the text.
    pub stream_options: Option<StreamOptions>,
    /// Tokens to write at most; 16 when left out.
    #[schema(minimum = 1)]
    pub max_tokens: Option<i64>,
    /// How freely tokens are chosen; 1 when left out.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Choose among the likeliest tokens that together have this share of the probability.
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// Makes tokens less likely for each time they were written.
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// Makes tokens less likely once they were written.
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// The same seed with the same request gives the same continuation.
    pub seed: Option<i64>,
    /// A text, or up to 16 of them, that ends the continuation and is not part of it.
    #[schema(value_type = Option<Object>)]
    pub stop: Option<Value>,
    /// Continuations to write; only 1.
    #[schema(minimum = 1, maximum = 1)]
    pub n: Option<i64>,
    /// Not supported; refused unless 1.
    #[schema(value_type = Option<Object>)]
    pub best_of: Option<Value>,
    /// Not supported; refused unless false.
    #[schema(value_type = Option<Object>)]
    pub echo: Option<Value>,
    /// Not supported; refused unless empty.
    #[schema(value_type = Option<Object>)]
    pub suffix: Option<Value>,
    /// Not supported; refused.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Value>,
    /// Not supported; refused unless empty.
    #[schema(value_type = Option<Object>)]
    pub logit_bias: Option<Value>,
}

impl OpenAi for CompletionRequest {
    fn unsupported(&self) -> Vec<Unsupported<'_>> {
        vec![
            ("best_of", &self.best_of, nothing::one),
            ("echo", &self.echo, nothing::off),
            ("suffix", &self.suffix, nothing::empty),
            ("logprobs", &self.logprobs, nothing::never),
            ("logit_bias", &self.logit_bias, nothing::empty),
        ]
    }
}

/// Texts to be turned into vectors.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EmbeddingRequest {
    /// A name from `GET /v1/models`.
    #[schema(example = "local-embedding")]
    pub model: String,
    /// A text, or up to 2048 of them. Of a text with more than 256 tokens the beginning counts.
    #[schema(value_type = Object, example = "That is a happy person")]
    pub input: Value,
    /// `float` (a list of numbers, the default) or `base64` (little-endian 32-bit floats).
    pub encoding_format: Option<EncodingFormat>,
    /// Numbers in a vector; only as many as the model's have.
    pub dimensions: Option<i64>,
}

impl OpenAi for EmbeddingRequest {
    fn unsupported(&self) -> Vec<Unsupported<'_>> {
        Vec::new()
    }
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// Names this answer.
    #[schema(example = "chatcmpl-0190b2f0b0a07c3e8f6e0c2f4d6a8b1c")]
    pub id: String,
    /// `chat.completion`.
    #[schema(value_type = String, example = "chat.completion")]
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: i64,
    /// The model that answered.
    pub model: String,
    /// The answer; always one.
    pub choices: Vec<ChatChoice>,
    /// Tokens that were read and written.
    pub usage: UsageView,
}

/// One answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatChoice {
    /// 0.
    pub index: u32,
    /// What the model says.
    pub message: AssistantMessage,
    /// `stop` when the model was done or met a stop text, `length` when its room was used up.
    #[schema(value_type = String, example = "stop")]
    pub finish_reason: &'static str,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    pub logprobs: (),
}

/// What the model says.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssistantMessage {
    /// `assistant`.
    #[schema(value_type = String, example = "assistant")]
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// Always null.
    #[schema(value_type = Option<String>)]
    pub refusal: (),
}

/// One event of a streamed answer. After the last one comes `data: [DONE]`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletionChunk {
    /// The same in every chunk of an answer.
    pub id: String,
    /// `chat.completion.chunk`.
    #[schema(value_type = String, example = "chat.completion.chunk")]
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: i64,
    /// The model that answers.
    pub model: String,
    /// One; none in the chunk with the usage.
    pub choices: Vec<ChunkChoice>,
    /// With `include_usage`: null but in the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<UsageView>)]
    #[expect(clippy::option_option, reason = "left out and null are two things in the protocol")]
    pub usage: Option<Option<UsageView>>,
}

/// What a chunk adds to the answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChunkChoice {
    /// 0.
    pub index: u32,
    /// The addition; empty in the last chunk.
    pub delta: Delta,
    /// Null until the last chunk.
    #[schema(value_type = Option<String>)]
    pub finish_reason: Option<&'static str>,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    pub logprobs: (),
}

/// An addition to a message.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Delta {
    /// `assistant`, in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<&'static str>,
    /// More text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A whole continuation, or with `stream` one event of it, after the last of which comes `data: [DONE]`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Completion {
    /// Names this continuation.
    #[schema(example = "cmpl-0190b2f0b0a07c3e8f6e0c2f4d6a8b1c")]
    pub id: String,
    /// `text_completion`.
    #[schema(value_type = String, example = "text_completion")]
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: i64,
    /// The model that wrote.
    pub model: String,
    /// The text; always one, none in the chunk with the usage.
    pub choices: Vec<CompletionChoice>,
    /// Tokens that were read and written. In a stream only with `include_usage`: null but in the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<UsageView>)]
    #[expect(clippy::option_option, reason = "left out and null are two things in the protocol")]
    pub usage: Option<Option<UsageView>>,
}

/// One continuation.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionChoice {
    /// 0.
    pub index: u32,
    /// The text.
    pub text: String,
    /// `stop` or `length`; null in a stream until the last chunk.
    #[schema(value_type = Option<String>)]
    pub finish_reason: Option<&'static str>,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    pub logprobs: (),
}

/// Tokens that were read and written. Those that only end an answer are not counted.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the protocol's names")]
pub struct UsageView {
    /// Read.
    pub prompt_tokens: u32,
    /// Written.
    pub completion_tokens: u32,
    /// Both.
    pub total_tokens: u32,
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens } = usage;
        Self { prompt_tokens, completion_tokens, total_tokens: prompt_tokens.saturating_add(completion_tokens) }
    }
}

/// Vectors in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingList {
    /// `list`.
    #[schema(value_type = String, example = "list")]
    pub object: &'static str,
    /// One for each text.
    pub data: Vec<EmbeddingView>,
    /// The model that was used.
    pub model: String,
    /// Tokens that were read.
    pub usage: EmbeddingUsage,
}

/// One text's vector.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingView {
    /// `embedding`.
    #[schema(value_type = String, example = "embedding")]
    pub object: &'static str,
    /// The text's place in the request.
    pub index: usize,
    /// Numbers, or base64 of them.
    #[schema(value_type = Object)]
    pub embedding: Vector,
}

/// A vector as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens of texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingUsage {
    /// Read.
    pub prompt_tokens: u64,
    /// The same.
    pub total_tokens: u64,
}

/// The models that are served.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// `list`.
    #[schema(value_type = String, example = "list")]
    pub object: &'static str,
    /// All of them.
    pub data: Vec<ModelView>,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelView {
    /// As requests name it.
    #[schema(example = "local-chat")]
    pub id: String,
    /// `model`.
    #[schema(value_type = String, example = "model")]
    pub object: &'static str,
    /// When its file was made, in seconds since 1970.
    pub created: i64,
    /// `brainops`.
    #[schema(value_type = String, example = "brainops")]
    pub owned_by: &'static str,
}

/// An error in OpenAI's form.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorView,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorView {
    /// For people.
    pub message: String,
    /// OpenAI's class of errors.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    pub kind: String,
    /// The field at fault.
    pub param: Option<String>,
    /// Stable; each has a page in the documentation.
    #[schema(example = "context_length_exceeded")]
    pub code: String,
}
