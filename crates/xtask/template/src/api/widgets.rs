//! `/v1/widgets`

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::WidgetId;
use db::{
    idempotency::{Answer, Answered, Request},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, List, Page, PathId, ProblemBody, ValidJson, body_hash, etag, stored_answer},
};

use super::dto::{WidgetCreate, WidgetView};
use crate::{
    app::{create_widget::create_widget, get_widget::get_widget, list_widgets::list_widgets},
    domain::{access, widget::Widget},
    error::Error,
    state::AppState,
};

/// List the widgets of your organization.
#[utoipa::path(get, path = "/v1/widgets", tag = "widgets", operation_id = "list_widgets", params(Page), responses(
    (status = 200, description = "A page of them, oldest first", body = List<WidgetView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(state: Data<AppState>, who: Principal, page: Page) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&who).map_err(Error::from)?;
    let list = cursor::List::new("widgets").within("organization", who.org);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_widgets(&state, &allowed, after, page.limit).await?;
    let position = |widget: &Widget| (widget.created_at, widget.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(WidgetView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Create a widget.
#[utoipa::path(post, path = "/v1/widgets", tag = "widgets", operation_id = "create_widget",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = WidgetCreate, responses(
    (status = 201, description = "It exists", body = WidgetView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`role_insufficient`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<WidgetCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&who).map_err(Error::from)?;
    let route = "POST /v1/widgets";
    let request = key.get().map(|key| Request::new(Some(who.org), Some(who.user), route, key, body_hash(&http)));
    let origin = who.origin(&*state.clock);
    let answered = create_widget(&state, &allowed, origin, body.into_inner().name, request, created).await?;
    let Answered { answer, replayed } = answered;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
fn created(widget: Widget) -> Result<Answer, serde_json::Error> {
    let view = WidgetView::from(widget);
    Answer::created(format!("/v1/widgets/{}", view.id), view.version, &view)
}

/// Read a widget of your organization.
#[utoipa::path(get, path = "/v1/widgets/{id}", tag = "widgets", operation_id = "get_widget",
    params(("id" = uuid::Uuid, Path, description = "The widget")), responses(
    (status = 200, description = "The widget", body = WidgetView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`widget_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<WidgetId>) -> Result<HttpResponse, Problem> {
    let allowed = access::allow(&who).map_err(Error::from)?;
    let view = WidgetView::from(get_widget(&state, &allowed, id.0).await?);
    Ok(HttpResponse::Ok().insert_header(etag(view.version)).json(view))
}
