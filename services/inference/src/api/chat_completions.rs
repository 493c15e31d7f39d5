//! `POST /v1/chat/completions`.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use kit::Problem;
use serde_json::Value;

use super::{
    body::Body,
    caller::Caller,
    dto::{
        AssistantMessage, ChatChoice, ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ChatMessage,
        ChunkChoice, Delta, ErrorBody, UsageView,
    },
    options,
    sse::{self, Chunks},
};
use crate::{
    app::complete_chat::complete_chat,
    domain::{
        generation::{FinishReason, Usage},
        prompt::{Message, Role},
    },
    error::Error,
    state::AppState,
};

/// Let a model continue a conversation.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "chat", operation_id = "create_chat_completion",
    request_body = ChatCompletionRequest, responses(
    (status = 200, description = "The answer; with `stream` as server-sent events, each a `ChatCompletionChunk`", content(
        (ChatCompletion = "application/json"), (ChatCompletionChunk = "text/event-stream"))),
    (status = 400, description = "`invalid_value`, `unsupported_parameter`, `unsupported_schema`, `context_length_exceeded`, `malformed_json`", body = ErrorBody),
    (status = 401, description = "`invalid_api_key`", body = ErrorBody),
    (status = 404, description = "`model_not_found`", body = ErrorBody),
    (status = 503, description = "`model_busy`, `model_loading`, `model_unavailable`", body = ErrorBody),
))]
pub async fn create(
    state: Data<AppState>,
    _caller: Caller,
    body: Body<ChatCompletionRequest>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let request = body.0;
    let options = options::of_chat(&request, &*state.ids)?;
    let answer = complete_chat(&state, &request.model, &messages(request.messages)?, options).await?;
    let include_usage = request.stream_options.and_then(|options| options.include_usage).unwrap_or_default();
    let head = Head::new(&state, request.model, include_usage);
    if request.stream.unwrap_or_default() {
        return Ok(sse::response(answer, head, &http));
    }
    let (content, reason, usage) = answer.whole().await?;
    Ok(HttpResponse::Ok().json(head.whole(content, reason, usage)))
}

/// Messages as plain values. The error names the one at fault.
fn messages(messages: Vec<ChatMessage>) -> Result<Vec<Message>, Error> {
    if messages.is_empty() {
        return Err(Error::invalid("messages", "must have at least one message"));
    }
    messages.into_iter().enumerate().map(|(index, message)| one(&format!("messages[{index}]"), message)).collect()
}

fn one(path: &str, message: ChatMessage) -> Result<Message, Error> {
    let unsupported = |field: &str, what: &str| Error::Unsupported {
        param: format!("{path}.{field}"),
        message: format!("{what} not supported by this server"),
    };
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => return Err(unsupported("role", "is of a tool, and tools are")),
        _ => return Err(Error::invalid(format!("{path}.role"), "must be system, developer, user or assistant")),
    };
    if message.tool_calls.is_some_and(|calls| !super::body::nothing::empty(&calls)) {
        return Err(unsupported("tool_calls", "are calls of tools, which are"));
    }
    let content = match message.content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => text_of(path, &parts)?,
        _ => return Err(Error::invalid(format!("{path}.content"), "must be a text or a list of parts")),
    };
    Ok(Message { role, content })
}

fn text_of(path: &str, parts: &[Value]) -> Result<String, Error> {
    let mut whole = String::new();
    for (index, part) in parts.iter().enumerate() {
        let field = |name: &str| format!("{path}.content[{index}].{name}");
        match (part.get("type").and_then(Value::as_str), part.get("text").and_then(Value::as_str)) {
            (Some("text"), Some(text)) => whole.push_str(text),
            (Some("text"), None) => return Err(Error::invalid(field("text"), "must be a text")),
            (Some(kind), _) => {
                let message = format!("is {kind:?}; this server's models only read text");
                return Err(Error::Unsupported { param: field("type"), message });
            }
            (None, _) => return Err(Error::invalid(field("type"), "must be \"text\"")),
        }
    }
    Ok(whole)
}

/// What every chunk of an answer repeats.
struct Head {
    id: String,
    created: i64,
    model: String,
    include_usage: bool,
}

impl Head {
    fn new(state: &AppState, model: String, include_usage: bool) -> Self {
        let id = format!("chatcmpl-{}", state.ids.uuid().simple());
        Self { id, created: state.clock.now().timestamp(), model, include_usage }
    }

    fn whole(self, content: String, reason: FinishReason, usage: Usage) -> ChatCompletion {
        let message = AssistantMessage { role: "assistant", content, refusal: () };
        let choice = ChatChoice { index: 0, message, finish_reason: reason.as_str(), logprobs: () };
        ChatCompletion {
            id: self.id,
            object: "chat.completion",
            created: self.created,
            model: self.model,
            choices: vec![choice],
            usage: usage.into(),
        }
    }

    fn chunk(&self, choices: Vec<ChunkChoice>, usage: Option<UsageView>) -> ChatCompletionChunk {
        ChatCompletionChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: self.include_usage.then_some(usage),
        }
    }

    fn delta(&self, delta: Delta, finish_reason: Option<FinishReason>) -> ChatCompletionChunk {
        let finish_reason = finish_reason.map(FinishReason::as_str);
        self.chunk(vec![ChunkChoice { index: 0, delta, finish_reason, logprobs: () }], None)
    }
}

impl Chunks for Head {
    type Chunk = ChatCompletionChunk;

    fn begin(&self) -> Option<ChatCompletionChunk> {
        Some(self.delta(Delta { role: Some("assistant"), content: Some(String::new()) }, None))
    }

    fn text(&self, text: String) -> ChatCompletionChunk {
        self.delta(Delta { role: None, content: Some(text) }, None)
    }

    fn end(&self, reason: FinishReason, usage: Usage) -> Vec<ChatCompletionChunk> {
        let mut chunks = vec![self.delta(Delta::default(), Some(reason))];
        if self.include_usage {
            chunks.push(self.chunk(Vec::new(), Some(usage.into())));
        }
        chunks
    }
}
