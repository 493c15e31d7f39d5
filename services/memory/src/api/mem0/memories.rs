//! One memory, or several new ones.

use crate::{
    api::dto::mem0::{
        Names,
        add::{Mem0Add, Mem0Update, verbatim, without_recalled},
        find::Mem0Forget,
        view::{Mem0Added, Mem0Done, Mem0Memory, Mem0Message, Mem0Turn},
    },
    app::{
        add_memories::add_memories, add_memory::Remembered, delete_memory::delete_memory,
        get_extraction::get_extraction, get_memory::get_memory, infer_memories::infer_memories,
        list_memory_history::list_memory_history, update_memory::update_memory,
    },
    domain::{access::allow, extraction::Extraction},
    error::Error,
    state::AppState,
};
use actix_web::{HttpResponse, http::StatusCode, web::Data};
use contracts::{ExtractionId, MemoryId};
use db::idempotency::Answer;
use kit::{
    ExpectedVersion, Principal, Problem,
    http::{Limit, PathId, ProblemBody, ValidJson, ValidQuery, stored_answer},
};

/// Remember what was said.
///
/// Facts are taken from it a moment later, and `event_id` is where to ask about them. With `infer: false`, and where there is
/// no language model, each message is remembered word for word at once, and the answer says `SUCCEEDED`; what is remembered in
/// the same words for the same ids already is not remembered twice.
#[utoipa::path(post, path = "/v1/memory/compat/mem0/v3/memories/add/", tag = "mem0", operation_id = "add_mem0_memories",
    request_body = Mem0Add, responses(
    (status = 200, description = "It is remembered, or will be", body = Mem0Added),
    (status = 400, description = "`bad_request` (an option that is not supported, or no id)", body = ProblemBody),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody),
    (status = 422, description = "`validation_failed`", body = ProblemBody),
))]
pub async fn add(state: Data<AppState>, who: Principal, body: ValidJson<Mem0Add>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (origin, infers) = (who.origin(&*state.clock), body.infers() && state.language.is_some());
    let given = body.into_inner().into_given(&allowed, origin.at)?;
    let answered = if infers {
        infer_memories(&state, &allowed, origin, without_recalled(given), None, queued).await?
    } else {
        let new = verbatim(given).into_iter().map(|memory| (memory, Vec::new())).collect();
        add_memories(&state, &allowed, origin, new, None, added).await?
    };
    let answer = answered.answer;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, false))
}

/// Remember what was said, as clients of version 1 ask for it.
///
/// The same as for those of today.
#[utoipa::path(post, path = "/v1/memory/compat/mem0/v1/memories/", tag = "mem0", operation_id = "add_mem0_memories_v1",
    request_body = Mem0Add, responses(
    (status = 200, description = "It is remembered, or will be", body = Mem0Added),
    (status = 400, description = "`bad_request` (an option that is not supported, or no id)", body = ProblemBody),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody),
    (status = 422, description = "`validation_failed`", body = ProblemBody),
))]
pub async fn add_v1(state: Data<AppState>, who: Principal, body: ValidJson<Mem0Add>) -> Result<HttpResponse, Problem> {
    add(state, who, body).await
}

/// The answer to what is done, in the form in which answers are stored.
fn added(remembered: Vec<Remembered>) -> Result<Answer, serde_json::Error> {
    fine(&Mem0Added::from(remembered))
}

/// The answer to what is done later.
fn queued(extraction: Extraction) -> Result<Answer, serde_json::Error> {
    fine(&Mem0Added::from(extraction))
}

fn fine(view: &Mem0Added) -> Result<Answer, serde_json::Error> {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(Answer { status: StatusCode::OK.as_u16(), headers, body: serde_json::to_vec(view)? })
}

/// What became of messages from which facts are taken.
#[utoipa::path(get, path = "/v1/memory/compat/mem0/v1/event/{id}/", tag = "mem0", operation_id = "get_mem0_event",
    params(("id" = uuid::Uuid, Path, description = "The `event_id` of the answer")), responses(
    (status = 200, description = "How far it is", body = Mem0Done),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody),
    (status = 404, description = "`extraction_not_found`", body = ProblemBody),
))]
pub async fn event(state: Data<AppState>, who: Principal, id: PathId<ExtractionId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    Ok(HttpResponse::Ok().json(Mem0Done::from(get_extraction(&state, &allowed, id.0).await?)))
}

/// Read a memory.
#[utoipa::path(get, path = "/v1/memory/compat/mem0/v1/memories/{id}/", tag = "mem0", operation_id = "get_mem0_memory",
    params(("id" = uuid::Uuid, Path, description = "The memory")), responses(
    (status = 200, description = "The memory", body = Mem0Memory),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody),
    (status = 404, description = "`memory_not_found`", body = ProblemBody),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<MemoryId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    Ok(HttpResponse::Ok().json(Mem0Memory::from(get_memory(&state, &allowed, id.0).await?)))
}

/// Correct a memory.
///
/// What is absent stays as it is. What was remembered before stays in its history.
#[utoipa::path(put, path = "/v1/memory/compat/mem0/v1/memories/{id}/", tag = "mem0", operation_id = "update_mem0_memory",
    params(("id" = uuid::Uuid, Path, description = "The memory")), request_body = Mem0Update, responses(
    (status = 200, description = "The memory as it is now", body = Mem0Memory),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody),
    (status = 404, description = "`memory_not_found`", body = ProblemBody),
    (status = 422, description = "`validation_failed`", body = ProblemBody),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemoryId>,
    body: ValidJson<Mem0Update>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (origin, change) = (who.origin(&*state.clock), body.into_inner().into_change()?);
    let memory = update_memory(&state, &allowed, origin, id.0, change, ExpectedVersion::ANY).await?;
    Ok(HttpResponse::Ok().json(Mem0Memory::from(memory)))
}

/// Forget a memory.
///
/// Its text goes from everywhere, its history included. One that is not there is no error.
#[utoipa::path(delete, path = "/v1/memory/compat/mem0/v1/memories/{id}/", tag = "mem0", operation_id = "delete_mem0_memory",
    params(("id" = uuid::Uuid, Path, description = "The memory"), Mem0Forget), responses(
    (status = 200, description = "It is forgotten, now or before", body = Mem0Message),
    (status = 400, description = "`bad_request` (an option that is not supported)", body = ProblemBody),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody),
    (status = 404, description = "`not_found` (that is no id)", body = ProblemBody),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemoryId>,
    query: ValidQuery<Mem0Forget>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    query.check()?;
    delete_memory(&state, &allowed, who.origin(&*state.clock), id.0, ExpectedVersion::ANY).await?;
    Ok(HttpResponse::Ok().json(Mem0Message { message: "The memory is forgotten." }))
}

/// List what became of a memory.
///
/// All of it, the oldest first.
#[utoipa::path(get, path = "/v1/memory/compat/mem0/v1/memories/{id}/history/", tag = "mem0", operation_id = "list_mem0_history",
    params(("id" = uuid::Uuid, Path, description = "The memory")), responses(
    (status = 200, description = "What became of it", body = Vec<Mem0Turn>),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody),
    (status = 404, description = "`memory_not_found`", body = ProblemBody),
))]
pub async fn history(state: Data<AppState>, who: Principal, id: PathId<MemoryId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let memory = get_memory(&state, &allowed, id.0).await?;
    let (names, _) = Names::of(memory.belonging, memory.session, memory.tags);
    let limit = Limit::new(Limit::MAX).unwrap_or_default();
    let mut turns = Vec::new();
    let mut after = None;
    loop {
        let page = list_memory_history(&state, &allowed, id.0, after, limit).await?;
        after = page.last().map(|turn| turn.version);
        let is_last = page.len() <= usize::from(limit);
        turns.extend(page.into_iter().map(|turn| Mem0Turn::new(id.0, names.user.clone(), turn)));
        if is_last {
            return Ok(HttpResponse::Ok().json(turns));
        }
    }
}
