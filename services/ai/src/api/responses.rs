//! OpenAI's responses.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use kit::{Principal, Problem, http::ValidJson};

use super::{asked::AnyJson, chat};
use crate::{domain::chat::Dialect, state::AppState};

/// Chat with a model, in OpenAI's responses protocol. Nothing is stored: send the whole conversation.
#[utoipa::path(post, path = "/v1/responses", tag = "models", operation_id = "create_response",
    params(
        ("x-brainops-session-id" = Option<String>, Header, description = "The conversation that the call belongs to, as `brainops.session_id` in the body"),
        ("x-brainops-cache" = Option<String>, Header, description = "`use` to be content with an earlier answer to the same request, as `brainops.cache` in the body"),
    ),
    request_body(content = Value, description = "OpenAI's request, with an optional object `brainops`", content_type = "application/json"),
    responses(
        (status = 200, description = "OpenAI's response, or with `stream` its events as server-sent events", body = Value),
        (status = 400, description = "`invalid_value`, `unsupported_parameter`, `context_length_exceeded`, `provider_refused`, …, in OpenAI's form", body = Value),
        (status = 401, description = "`unauthenticated`, `invalid_token`", body = Value),
        (status = 403, description = "`insufficient_scope`, `model_not_allowed`", body = Value),
        (status = 404, description = "`model_not_found`", body = Value),
        (status = 429, description = "`insufficient_quota`, `provider_rate_limited`", body = Value),
        (status = 502, description = "`provider_failed`", body = Value),
        (status = 503, description = "`provider_unavailable`, `too_many_calls`", body = Value),
        (status = 504, description = "`provider_timeout`", body = Value),
    ))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<AnyJson>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    chat::answer(&state, &who, Dialect::Responses, body.into_inner().0, &http).await
}
