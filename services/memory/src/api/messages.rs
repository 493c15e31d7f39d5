//! `/v1/memory/sessions/{id}/messages`: turns of a conversation.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use contracts::MemorySessionId;
use db::{
    idempotency::{Answer, Answered},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, List, PathId, ProblemBody, ValidJson, ValidQuery, stored_answer},
};

use super::{
    dto::messages::{MessageQuery, MessageView, MessagesAppend, MessagesView, Order},
    repeatable,
};
use crate::{
    app::{append_messages::append_messages, list_messages::list_messages},
    domain::{access::allow, message::Message},
    error::Error,
    state::AppState,
};

/// List the turns of a conversation.
///
/// Those of one that branched off begin with those of the session that it came from.
#[utoipa::path(get, path = "/v1/memory/sessions/{id}/messages", tag = "sessions", operation_id = "list_messages",
    params(("id" = uuid::Uuid, Path, description = "The session"), MessageQuery), responses(
    (status = 200, description = "A page of them", body = List<MessageView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
    query: ValidQuery<MessageQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (page, order) = query.into_inner().into_parts();
    let list = cursor::List::new("messages").within("session", id.0).within("order", format!("{order:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_messages(&state, &allowed, id.0, after, order == Order::Desc, page.limit).await?;
    let page = state.db.signer().page(&list, found, page.limit.into(), |message: &Message| message.position)?;
    let items = page.items.into_iter().map(MessageView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Store turns.
///
/// They are added at the end, all of them or none, and can be found by their words at once and by what they mean a moment
/// later. Instructions and the output of tools are kept but not found.
#[utoipa::path(post, path = "/v1/memory/sessions/{id}/messages", tag = "sessions", operation_id = "append_messages",
    params(("id" = uuid::Uuid, Path, description = "The session"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = MessagesAppend, responses(
    (status = 201, description = "The turns as they are stored", body = MessagesView),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`session_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn append(
    state: Data<AppState>,
    who: Principal,
    id: PathId<MemorySessionId>,
    key: IdempotencyKey,
    body: ValidJson<MessagesAppend>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, &format!("POST /v1/memory/sessions/{}/messages", id.0), &key, &http);
    let (origin, new) = (who.origin(&*state.clock), body.into_inner().into_new());
    let answered = append_messages(&state, &allowed, origin, id.0, new, request, stored).await?;
    let Answered { answer, replayed } = answered;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to an append, as it is stored with its key.
fn stored(messages: Vec<Message>) -> Result<Answer, serde_json::Error> {
    let items = messages.into_iter().map(MessageView::from).collect();
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(Answer { status: StatusCode::CREATED.as_u16(), headers, body: serde_json::to_vec(&MessagesView { items })? })
}
