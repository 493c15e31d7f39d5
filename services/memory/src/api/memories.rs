//! `/v1/memory/memories`: what is remembered.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use contracts::MemoryId;
use db::{
    idempotency::{Answer, Answered},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, IfMatch, List, Page, PathId, ProblemBody, ValidJson, ValidQuery, etag, stored_answer},
};

use super::{
    dto::{
        memories::{
            MemoriesCreate, MemoriesView, MemoryHistoryView, MemoryPatch, MemoryQuery, MemoryView, RememberedView,
        },
        remember::{ExtractionAccepted, MemoryRemember, Wish},
    },
    extractions::accepted,
    repeatable,
};
use crate::{
    app::{
        add_memories::add_memories,
        add_memory::{Remembered, add_memory},
        delete_memory::delete_memory,
        get_memory::get_memory,
        infer_memories::infer_memories,
        list_memories::list_memories,
        list_memory_history::list_memory_history,
        update_memory::update_memory,
    },
    domain::{
        access::allow,
        memory::{Memory, Turn},
    },
    error::Error,
    state::AppState,
};

/// List memories.
///
/// Yours, those that the organization shares and, for admins, those of applications' users. The newest first.
#[utoipa::path(get, path = "/v1/memory/memories", tag = "memories", operation_id = "list_memories", params(MemoryQuery), responses(
    (status = 200, description = "A page of them", body = List<MemoryView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<MemoryQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (page, wanted) = query.into_inner().into_parts(&allowed)?;
    let list = cursor::List::new("memories").within("organization", who.org).within("filter", format!("{wanted:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_memories(&state, &allowed, wanted, after, page.limit).await?;
    let position = |memory: &Memory| (memory.created_at, memory.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(MemoryView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Remember something, word for word or what a language model takes from it.
///
/// With `infer`, facts are taken from what is given a moment later, those that are not remembered yet are added, and what they
/// contradict is superseded. Without, it is remembered as it is: what is remembered in the same words for the same scope
/// already is answered instead of being remembered twice. It can be found by its words at once and by what it means a moment
/// later.
#[utoipa::path(post, path = "/v1/memory/memories", tag = "memories", operation_id = "add_memory",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = MemoryRemember, responses(
    (status = 201, description = "It is remembered", body = MemoryView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 202, description = "Facts will be taken from it", body = ExtractionAccepted, headers(("Location" = String, description = "Where the outcome can be asked for"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`memory_not_found` (one that it supersedes)", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `extraction_unavailable`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<MemoryRemember>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, "POST /v1/memory/memories", &key, &http);
    let origin = who.origin(&*state.clock);
    let answered = match body.into_inner().into_wish(&allowed, origin.at)? {
        Wish::Remember(new, supersedes) => {
            add_memory(&state, &allowed, origin, new, supersedes, request, created).await?
        }
        Wish::Infer(given) => infer_memories(&state, &allowed, origin, given, request, accepted).await?,
    };
    let Answered { answer, replayed } = answered;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
pub fn created(memory: Memory) -> Result<Answer, serde_json::Error> {
    let view = MemoryView::from(memory);
    Answer::created(format!("/v1/memory/memories/{}", view.id), view.version, &view)
}

/// Remember several things, word for word.
///
/// All of them or none, each as if it were remembered alone.
#[utoipa::path(post, path = "/v1/memory/memories/bulk", tag = "memories", operation_id = "add_memories",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = MemoriesCreate, responses(
    (status = 201, description = "They are remembered", body = MemoriesView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`memory_not_found` (one that is superseded)", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create_many(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<MemoriesCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, "POST /v1/memory/memories/bulk", &key, &http);
    let new = body.into_inner().into_parts(&allowed).map_err(Error::from)?;
    let answered = add_memories(&state, &allowed, who.origin(&*state.clock), new, request, created_many).await?;
    let Answered { answer, replayed } = answered;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to several, as it is stored with its key.
fn created_many(remembered: Vec<Remembered>) -> Result<Answer, serde_json::Error> {
    let items = remembered.into_iter().map(RememberedView::from).collect();
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(Answer { status: StatusCode::CREATED.as_u16(), headers, body: serde_json::to_vec(&MemoriesView { items })? })
}

/// Read a memory.
#[utoipa::path(get, path = "/v1/memory/memories/{id}", tag = "memories", operation_id = "get_memory",
    params(("id" = uuid::Uuid, Path, description = "The memory")), responses(
    (status = 200, description = "The memory", body = MemoryView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`memory_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<MemoryId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    Ok(present(get_memory(&state, &allowed, id.0).await?))
}

/// Correct a memory.
///
/// What was remembered before stays in its history.
#[utoipa::path(patch, path = "/v1/memory/memories/{id}", tag = "memories", operation_id = "update_memory",
    params(("id" = uuid::Uuid, Path, description = "The memory"),
        ("If-Match" = Option<String>, Header, description = "Only change the memory when this is its `ETag`")),
    request_body(content = MemoryPatch, content_type = "application/json"), responses(
    (status = 200, description = "The memory as it is now", body = MemoryView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`memory_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemoryId>,
    expected: IfMatch,
    body: ValidJson<MemoryPatch>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (origin, change) = (who.origin(&*state.clock), body.into_inner().into_change());
    Ok(present(update_memory(&state, &allowed, origin, id.0, change, expected.version()).await?))
}

/// Forget a memory.
///
/// Its text goes from everywhere, its history included.
#[utoipa::path(delete, path = "/v1/memory/memories/{id}", tag = "memories", operation_id = "delete_memory",
    params(("id" = uuid::Uuid, Path, description = "The memory"),
        ("If-Match" = Option<String>, Header, description = "Only forget the memory when this is its `ETag`")), responses(
    (status = 204, description = "It is forgotten, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`memory_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemoryId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    delete_memory(&state, &allowed, who.origin(&*state.clock), id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List what became of a memory.
#[utoipa::path(get, path = "/v1/memory/memories/{id}/history", tag = "memories", operation_id = "list_memory_history",
    params(("id" = uuid::Uuid, Path, description = "The memory"), Page), responses(
    (status = 200, description = "A page of it, the oldest first", body = List<MemoryHistoryView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`memory_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn history(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemoryId>,
    page: Page,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let list = cursor::List::new("memory_history").within("memory", id.0);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_memory_history(&state, &allowed, id.0, after, page.limit).await?;
    let page = state.db.signer().page(&list, found, page.limit.into(), |turn: &Turn| turn.version)?;
    let items = page.items.into_iter().map(MemoryHistoryView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

fn present(memory: Memory) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(memory.version)).json(MemoryView::from(memory))
}
