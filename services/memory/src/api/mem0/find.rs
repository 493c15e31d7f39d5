//! Memories by filters: found, listed, forgotten.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use kit::{
    Principal, Problem,
    http::{ProblemBody, ValidJson, ValidQuery, codes},
};

use crate::{
    api::dto::mem0::{
        find::{Mem0List, Mem0Pages, Mem0Scope, Mem0Search},
        view::{Mem0Found, Mem0Memory, Mem0Message, Mem0Page},
    },
    app::{find_memories::find_memories, forget::forget, page_memories::page_memories},
    domain::access::allow,
    error::Error,
    state::AppState,
};

/// Search memories.
///
/// By what they mean and by their words. `/v2/memories/search/`, where clients of version 1 look, is the same.
#[utoipa::path(post, path = "/v1/memory/compat/mem0/v3/memories/search/", tag = "mem0", operation_id = "search_mem0_memories",
    request_body = Mem0Search, responses(
    (status = 200, description = "What was found", body = Mem0Found),
    (status = 400, description = "`bad_request` (a filter that is not supported)", body = ProblemBody),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody),
    (status = 422, description = "`validation_failed`", body = ProblemBody),
))]
pub async fn search(
    state: Data<AppState>,
    who: Principal,
    body: ValidJson<Mem0Search>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (any, ranking, limit) = body.selections(&allowed)?;
    let found = find_memories(&state, &allowed, &body.query, any, ranking, limit).await?;
    Ok(HttpResponse::Ok().json(Mem0Found { results: found.into_iter().map(Mem0Memory::found).collect() }))
}

/// List memories.
///
/// Those that hold now, the newest first, by pages. `/v2/memories/`, where clients of version 1 look, is the same.
#[utoipa::path(post, path = "/v1/memory/compat/mem0/v3/memories/", tag = "mem0", operation_id = "list_mem0_memories",
    params(Mem0Pages), request_body = Mem0List, responses(
    (status = 200, description = "A page of them", body = Mem0Page),
    (status = 400, description = "`bad_request` (a filter that is not supported), `invalid_parameter`", body = ProblemBody),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody),
    (status = 422, description = "`validation_failed`", body = ProblemBody),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    pages: ValidQuery<Mem0Pages>,
    body: ValidJson<Mem0List>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let page = page_memories(&state, &allowed, body.selections(&allowed)?, pages.span()).await?;
    Ok(HttpResponse::Ok().json(Mem0Page::new(page, http.path(), pages.page, pages.page_size)))
}

/// Forget all memories of somebody.
///
/// Those of all ids that are given; at least one is needed.
#[utoipa::path(delete, path = "/v1/memory/compat/mem0/v1/memories/", tag = "mem0", operation_id = "delete_mem0_memories",
    params(Mem0Scope), responses(
    (status = 200, description = "They are forgotten", body = Mem0Message),
    (status = 400, description = "`bad_request` (no id), `invalid_parameter`", body = ProblemBody),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody),
    (status = 503, description = "`unavailable` (there are so many that some are left)", body = ProblemBody),
))]
pub async fn delete_all(
    state: Data<AppState>,
    who: Principal,
    scope: ValidQuery<Mem0Scope>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let what = scope.selection(&allowed)?.into();
    let cause = (who.origin(&*state.clock), who.address);
    if !forget(&state, &allowed, cause, what, false).await?.complete {
        let problem = Problem::new(&codes::UNAVAILABLE).detail("Some are forgotten; ask again for the rest");
        return Err(problem.retry_after(Duration::from_secs(1)));
    }
    Ok(HttpResponse::Ok().json(Mem0Message { message: "The memories are forgotten." }))
}
