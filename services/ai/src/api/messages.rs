//! Anthropic's messages.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::Scope;
use kit::{Principal, Problem, http::ValidJson};
use serde_json::json;
use tokio::time::Instant;

use super::{answer, asked::AnyJson, chat};
use crate::{app, domain::chat::Dialect, protocol, state::AppState};

/// Chat with a model, in Anthropic's messages protocol.
#[utoipa::path(post, path = "/v1/messages", tag = "models", operation_id = "create_message",
    params(
        ("x-brainops-session-id" = Option<String>, Header, description = "The conversation that the call belongs to, as `brainops.session_id` in the body"),
        ("x-brainops-cache" = Option<String>, Header, description = "`use` to be content with an earlier answer to the same request, as `brainops.cache` in the body"),
    ),
    request_body(content = Value, description = "Anthropic's request, with an optional object `brainops`", content_type = "application/json"),
    responses(
        (status = 200, description = "Anthropic's message, or with `stream` its events as server-sent events", body = Value),
        (status = 400, description = "`invalid_request_error`, in Anthropic's form", body = Value),
        (status = 401, description = "`authentication_error`", body = Value),
        (status = 403, description = "`permission_error`", body = Value),
        (status = 404, description = "`not_found_error`", body = Value),
        (status = 429, description = "`rate_limit_error`", body = Value),
        (status = 502, description = "`api_error`", body = Value),
        (status = 503, description = "`overloaded_error`", body = Value),
        (status = 504, description = "`timeout_error`", body = Value),
    ))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<AnyJson>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    chat::answer(&state, &who, Dialect::Messages, body.into_inner().0, &http).await
}

/// Count the tokens of a message's input. Free of charge, and a near estimate: each model has a tokenizer of its own.
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "models", operation_id = "count_message_tokens",
    request_body(content = Value, description = "Anthropic's request", content_type = "application/json"),
    responses(
        (status = 200, description = "`{\"input_tokens\": …}`", body = Value),
        (status = 400, description = "`invalid_request_error`, in Anthropic's form", body = Value),
        (status = 401, description = "`authentication_error`", body = Value),
        (status = 403, description = "`permission_error`", body = Value),
        (status = 404, description = "`not_found_error`", body = Value),
        (status = 503, description = "`overloaded_error`", body = Value),
    ))]
pub async fn count_tokens(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<AnyJson>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiInvoke)?;
    let parsed = protocol::parse_count_tokens(body.into_inner().0);
    let counted = match parsed.and_then(|parsed| chat::read(&who, parsed, &http, Instant::now())) {
        Ok(call) => app::count_tokens::count_tokens(&state, *call).await,
        Err(error) => Err(error),
    };
    Ok(match counted {
        Ok(tokens) => HttpResponse::Ok().json(json!({"input_tokens": tokens})),
        Err(error) => answer::refused(&http, Dialect::Messages, &error),
    })
}
