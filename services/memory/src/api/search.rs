//! `/v1/memory/search`: what answers a question.

use actix_web::{HttpResponse, web::Data};
use kit::{
    Principal, Problem,
    http::{ProblemBody, ValidJson},
};

use super::dto::search::{SearchRequest, SearchView};
use crate::{app::search::search, domain::access::allow, error::Error, state::AppState};

/// Search turns, memories and documents.
///
/// By what they mean and by their words, scored together. It needs no language model, and goes by words alone while nothing
/// embeds.
#[utoipa::path(post, path = "/v1/memory/search", tag = "search", operation_id = "search_memory", request_body = SearchRequest, responses(
    (status = 200, description = "What was found", body = SearchView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `scope_required`, `rerank_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn run(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<SearchRequest>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (wanted, explain) = body.into_inner().into_search(&allowed)?;
    let found = search(&state, &allowed, wanted).await?;
    Ok(HttpResponse::Ok().json(SearchView::new(found, explain)))
}
