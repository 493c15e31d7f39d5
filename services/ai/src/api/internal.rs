//! Between services. The gateway does not route these, and only memory's own credentials open them.

use actix_web::{HttpResponse, web::Data};
use contracts::{CompletionId, OrgId};
use kit::{
    Problem, ServicePrincipal,
    http::{PathId, ProblemBody},
};

use super::dto::turns::TurnView;
use crate::{app::turns, state::AppState};

/// Who may ask.
const MEMORY: &[&str] = &["memory"];

/// Read what was said in a call that is to be remembered.
#[utoipa::path(get, path = "/internal/organizations/{organization}/completions/{id}/turn", tag = "internal", operation_id = "get_turn",
    security(("service_token" = [])),
    params(("organization" = uuid::Uuid, Path, description = "The organization that called"), ("id" = uuid::Uuid, Path, description = "The call")),
    responses(
        (status = 200, description = "The turn", body = TurnView),
        (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`turn_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn get_turn(
    state: Data<AppState>,
    caller: ServicePrincipal,
    path: PathId<(OrgId, CompletionId)>,
) -> Result<HttpResponse, Problem> {
    caller.require(MEMORY)?;
    let (org, id) = path.into_inner();
    Ok(HttpResponse::Ok().json(TurnView::from(turns::get_turn(&state, org, id).await?)))
}

/// Forget what was said in a call: it is remembered.
#[utoipa::path(delete, path = "/internal/organizations/{organization}/completions/{id}/turn", tag = "internal", operation_id = "delete_turn",
    security(("service_token" = [])),
    params(("organization" = uuid::Uuid, Path, description = "The organization that called"), ("id" = uuid::Uuid, Path, description = "The call")),
    responses(
        (status = 204, description = "It is gone, now or before"),
        (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`database_busy`, `database_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn delete_turn(
    state: Data<AppState>,
    caller: ServicePrincipal,
    path: PathId<(OrgId, CompletionId)>,
) -> Result<HttpResponse, Problem> {
    caller.require(MEMORY)?;
    let (org, id) = path.into_inner();
    turns::delete_turn(&state, org, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
