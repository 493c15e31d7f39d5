//! `/v1/memory/extractions`: what becomes of what was given to take facts from.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use contracts::ExtractionId;
use db::idempotency::Answer;
use kit::{
    Principal, Problem,
    http::{PathId, ProblemBody},
};

use super::dto::remember::{ExtractionAccepted, ExtractionView};
use crate::{
    app::get_extraction::get_extraction,
    domain::{access::allow, extraction::Extraction},
    error::Error,
    state::AppState,
};

/// Ask what became of something that was given to take facts from.
///
/// It is known for a week after it is over.
#[utoipa::path(get, path = "/v1/memory/extractions/{id}", tag = "memories", operation_id = "get_memory_extraction",
    params(("id" = uuid::Uuid, Path, description = "The id of the operation")), responses(
    (status = 200, description = "How far it is", body = ExtractionView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`extraction_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<ExtractionId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let extraction = get_extraction(&state, &allowed, id.0).await?;
    Ok(HttpResponse::Ok().json(ExtractionView::from(extraction)))
}

/// The answer to what will be done, as it is stored with its key.
pub fn accepted(extraction: Extraction) -> Result<Answer, serde_json::Error> {
    let view = ExtractionAccepted::from(extraction);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("location", format!("/v1/memory/extractions/{}", view.operation_id)),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Answer { status: StatusCode::ACCEPTED.as_u16(), headers, body: serde_json::to_vec(&view)? })
}
