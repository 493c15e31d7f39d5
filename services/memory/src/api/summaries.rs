//! `/v1/memory/sessions/{id}/summarize`: what a conversation was about.

use actix_web::{HttpResponse, web::Data};
use contracts::MemorySessionId;
use kit::{
    Principal, Problem,
    http::{PathId, ProblemBody, ValidJson},
};

use super::dto::summaries::{SummaryRequest, SummaryView};
use crate::{app::summarize_session::summarize_session, domain::access::allow, error::Error, state::AppState};

/// Sum a conversation up.
///
/// By the language model, if there is one; otherwise in the conversation's own sentences, those that are most about what it is
/// about. A long conversation is summed up piece by piece. Of more than about 100,000 tokens the last ones count, and what was
/// kept of those before.
#[utoipa::path(post, path = "/v1/memory/sessions/{id}/summarize", tag = "sessions", operation_id = "summarize_memory_session",
    params(("id" = uuid::Uuid, Path, description = "The session")),
    request_body = SummaryRequest, responses(
    (status = 200, description = "The summary", body = SummaryView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn summarize(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
    body: ValidJson<SummaryRequest>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let body = body.into_inner();
    let keep = body.keep.then(|| allow(&who)).transpose().map_err(Error::from)?;
    let made = summarize_session(&state, &allowed, id.0, body.token_budget as usize, keep).await?;
    Ok(HttpResponse::Ok().json(SummaryView::from(made)))
}
