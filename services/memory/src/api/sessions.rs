//! `/v1/memory/sessions`: conversations.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::MemorySessionId;
use db::{
    idempotency::{Answer, Answered},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, IfMatch, List, PathId, ProblemBody, ValidJson, ValidQuery, etag, stored_answer},
};

use super::{
    dto::sessions::{SessionCreate, SessionFork, SessionPatch, SessionQuery, SessionView},
    repeatable,
};
use crate::{
    app::{
        create_session::create_session, delete_session::delete_session, fork_session::fork_session,
        get_session::get_session, list_sessions::list_sessions, update_session::update_session,
    },
    domain::{
        access::{Allowed, Read, allow},
        session::Session,
    },
    error::Error,
    state::AppState,
};

/// List conversations.
///
/// Yours, those that the organization shares and, for admins, those of applications' users. The newest first.
#[utoipa::path(get, path = "/v1/memory/sessions", tag = "sessions", operation_id = "list_memory_sessions", params(SessionQuery), responses(
    (status = 200, description = "A page of them", body = List<SessionView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<SessionQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    Ok(HttpResponse::Ok().json(page(&state, &allowed, query.into_inner()).await?))
}

pub async fn page(
    state: &AppState,
    allowed: &Allowed<Read>,
    query: SessionQuery,
) -> Result<List<SessionView>, Problem> {
    let (page, wanted) = query.into_parts(allowed)?;
    let list =
        cursor::List::new("sessions").within("organization", allowed.org).within("filter", format!("{wanted:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_sessions(state, allowed, wanted, after, page.limit).await?;
    let position = |session: &Session| (session.created_at, session.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(SessionView::from).collect();
    Ok(List { items, next_cursor: page.next_cursor })
}

/// Begin a conversation.
#[utoipa::path(post, path = "/v1/memory/sessions", tag = "sessions", operation_id = "create_memory_session",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = SessionCreate, responses(
    (status = 201, description = "It exists", body = SessionView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`session_exists`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<SessionCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, "POST /v1/memory/sessions", &key, &http);
    let new = body.into_inner().into_new(&allowed).map_err(Error::from)?;
    let origin = who.origin(&*state.clock);
    let Answered { answer, replayed } = create_session(&state, &allowed, origin, new, request, created).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
fn created(session: Session) -> Result<Answer, serde_json::Error> {
    let view = SessionView::from(session);
    Answer::created(format!("/v1/memory/sessions/{}", view.id), view.version, &view)
}

/// Read a conversation.
#[utoipa::path(get, path = "/v1/memory/sessions/{id}", tag = "sessions", operation_id = "get_memory_session",
    params(("id" = uuid::Uuid, Path, description = "The session")), responses(
    (status = 200, description = "The session", body = SessionView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<MemorySessionId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    Ok(present(get_session(&state, &allowed, id.0).await?))
}

/// Change the title or metadata of a conversation.
#[utoipa::path(patch, path = "/v1/memory/sessions/{id}", tag = "sessions", operation_id = "update_memory_session",
    params(("id" = uuid::Uuid, Path, description = "The session"),
        ("If-Match" = Option<String>, Header, description = "Only change the session when this is its `ETag`")),
    request_body(content = SessionPatch, content_type = "application/json"), responses(
    (status = 200, description = "The session as it is now", body = SessionView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
    expected: IfMatch,
    body: ValidJson<SessionPatch>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let change = body.into_inner().into_change();
    let now = state.clock.now();
    Ok(present(update_session(&state, &allowed, id.0, change, expected.version(), now).await?))
}

/// Forget a conversation.
///
/// Its turns go, and with them the memories that belong to it or were taken from its turns alone.
#[utoipa::path(delete, path = "/v1/memory/sessions/{id}", tag = "sessions", operation_id = "delete_memory_session",
    params(("id" = uuid::Uuid, Path, description = "The session"),
        ("If-Match" = Option<String>, Header, description = "Only forget the session when this is its `ETag`")), responses(
    (status = 204, description = "It is forgotten, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    delete_session(&state, &allowed, who.origin(&*state.clock), id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Branch off a conversation.
///
/// The new one begins with the turns of this one up to the given number, and goes on by itself.
#[utoipa::path(post, path = "/v1/memory/sessions/{id}/fork", tag = "sessions", operation_id = "fork_memory_session",
    params(("id" = uuid::Uuid, Path, description = "The session"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = SessionFork, responses(
    (status = 201, description = "The new session", body = SessionView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn fork(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
    key: IdempotencyKey,
    body: ValidJson<SessionFork>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, &format!("POST /v1/memory/sessions/{}/fork", id.0), &key, &http);
    let (origin, body) = (who.origin(&*state.clock), body.into_inner());
    let answered = fork_session(&state, &allowed, origin, id.0, (body.at, body.title), request, created).await?;
    let Answered { answer, replayed } = answered;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

fn present(session: Session) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(session.version)).json(SessionView::from(session))
}
