//! `/v1/memory/forget`: whatever passes some conditions goes for good.

use actix_web::{HttpResponse, web::Data};
use kit::{
    Principal, Problem,
    http::{ProblemBody, ValidJson},
};

use super::dto::forget::{ForgetRequest, ForgetView};
use crate::{app::forget::forget, domain::access::allow, error::Error, state::AppState};

/// Forget turns and memories.
///
/// Whatever you reach and passes all conditions goes for good, and with turns the memories that were taken from them alone.
/// A session stays when its turns go, without its summary, unless it is all that is named. With `dry_run` it is only
/// counted. Documents are forgotten by deleting them.
#[utoipa::path(post, path = "/v1/memory/forget", tag = "memories", operation_id = "forget_memory", request_body = ForgetRequest, responses(
    (status = 200, description = "How much was forgotten, or would be", body = ForgetView),
    (status = 400, description = "`forget_unscoped`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn run(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<ForgetRequest>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (what, dry_run) = body.into_inner().into_parts(&allowed)?;
    let cause = (who.origin(&*state.clock), who.address);
    let forgotten = forget(&state, &allowed, cause, what, dry_run).await?;
    Ok(HttpResponse::Ok().json(ForgetView::new(forgotten, dry_run)))
}
