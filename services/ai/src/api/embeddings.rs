//! OpenAI's embeddings.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::Scope;
use kit::{Principal, Problem, http::ValidJson};
use tokio::time::Instant;

use super::{answer, asked::AnyJson};
use crate::{
    app::embed_texts::{EmbedCall, embed_texts},
    domain::{caller::Caller, chat::Dialect},
    protocol::embeddings,
    state::AppState,
};

/// Turn texts into vectors, in OpenAI's embeddings protocol.
#[utoipa::path(post, path = "/v1/embeddings", tag = "models", operation_id = "create_embeddings",
    request_body(content = Value, description = "OpenAI's request: one text or up to 2048", content_type = "application/json"),
    responses(
        (status = 200, description = "OpenAI's list of embeddings", body = Value),
        (status = 400, description = "`invalid_value`, `unsupported_parameter`, `context_length_exceeded`, …, in OpenAI's form", body = Value),
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
    let begun = Instant::now();
    who.require(Scope::AiInvoke)?;
    let answer = match embeddings::parse(body.into_inner().0) {
        Ok((request, format, warnings)) => {
            let call = EmbedCall { caller: Caller::from(&who), request, format, warnings, begun };
            embed_texts(&state, call).await
        }
        Err(error) => Err(error),
    };
    Ok(answer.map_or_else(|error| answer::refused(&http, Dialect::ChatCompletions, &error), answer::whole))
}
