//! `/v1/memory/context`: a text for a prompt.

use actix_web::{HttpResponse, web::Data};
use kit::{
    Principal, Problem,
    http::{ProblemBody, ValidJson},
};

use super::dto::context::{ContextRequest, ContextView};
use crate::{app::build_context::build_context, domain::access::allow, error::Error, state::AppState};

/// Build a text for a prompt.
///
/// What bears on a question, within a number of tokens: facts, then turns of earlier conversations, then documents, each on
/// a line of its own with a number by which an answer can cite it. It needs no language model.
#[utoipa::path(post, path = "/v1/memory/context", tag = "search", operation_id = "build_context", request_body = ContextRequest, responses(
    (status = 200, description = "The text, and what it is made of", body = ContextView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `scope_required`, `rerank_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn build(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<ContextRequest>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let occasion = body.into_inner().into_occasion(&allowed)?;
    let context = build_context(&state, &allowed, occasion).await?;
    Ok(HttpResponse::Ok().json(ContextView::from(context)))
}
