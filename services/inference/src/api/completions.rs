//! `POST /v1/completions`.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use kit::Problem;
use serde_json::Value;

use super::{
    body::Body,
    caller::Caller,
    dto::{Completion, CompletionChoice, CompletionRequest, ErrorBody, UsageView},
    options,
    sse::{self, Chunks},
};
use crate::{
    app::complete_text::complete_text,
    domain::generation::{FinishReason, Usage},
    error::Error,
    state::AppState,
};

/// Let a model continue a text.
#[utoipa::path(post, path = "/v1/completions", tag = "chat", operation_id = "create_completion",
    request_body = CompletionRequest, responses(
    (status = 200, description = "The continuation; with `stream` as server-sent events of the same form", content(
        (Completion = "application/json"), (Completion = "text/event-stream"))),
    (status = 400, description = "`invalid_value`, `unsupported_parameter`, `context_length_exceeded`, `malformed_json`", body = ErrorBody),
    (status = 401, description = "`invalid_api_key`", body = ErrorBody),
    (status = 404, description = "`model_not_found`", body = ErrorBody),
    (status = 503, description = "`model_busy`, `model_loading`, `model_unavailable`", body = ErrorBody),
))]
pub async fn create(
    state: Data<AppState>,
    _caller: Caller,
    body: Body<CompletionRequest>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let request = body.0;
    let options = options::of_text(&request, &*state.ids)?;
    let answer = complete_text(&state, &request.model, text(request.prompt)?, options).await?;
    let streams = request.stream.unwrap_or_default();
    let asked = request.stream_options.and_then(|options| options.include_usage).unwrap_or_default();
    let head = Head::new(&state, request.model, asked || !streams);
    if streams {
        return Ok(sse::response(answer, head, &http));
    }
    let (text, reason, usage) = answer.whole().await?;
    Ok(HttpResponse::Ok().json(head.part(text, Some(reason), Some(usage.into()))))
}

fn text(prompt: Value) -> Result<String, Error> {
    match prompt {
        Value::String(text) => Ok(text),
        Value::Array(mut prompts) if prompts.len() == 1 && prompts.first().is_some_and(Value::is_string) => {
            text(prompts.remove(0))
        }
        _ => Err(Error::invalid("prompt", "must be a text or a list of one text")),
    }
}

/// What every part of a continuation repeats.
struct Head {
    id: String,
    created: i64,
    model: String,
    include_usage: bool,
}

impl Head {
    fn new(state: &AppState, model: String, include_usage: bool) -> Self {
        let id = format!("cmpl-{}", state.ids.uuid().simple());
        Self { id, created: state.clock.now().timestamp(), model, include_usage }
    }

    fn with(&self, choices: Vec<CompletionChoice>, usage: Option<UsageView>) -> Completion {
        Completion {
            id: self.id.clone(),
            object: "text_completion",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: self.include_usage.then_some(usage),
        }
    }

    fn part(&self, text: String, reason: Option<FinishReason>, usage: Option<UsageView>) -> Completion {
        let finish_reason = reason.map(FinishReason::as_str);
        self.with(vec![CompletionChoice { index: 0, text, finish_reason, logprobs: () }], usage)
    }
}

impl Chunks for Head {
    type Chunk = Completion;

    fn begin(&self) -> Option<Completion> {
        None
    }

    fn text(&self, text: String) -> Completion {
        self.part(text, None, None)
    }

    fn end(&self, reason: FinishReason, usage: Usage) -> Vec<Completion> {
        let mut parts = vec![self.part(String::new(), Some(reason), None)];
        if self.include_usage {
            parts.push(self.with(Vec::new(), Some(usage.into())));
        }
        parts
    }
}
