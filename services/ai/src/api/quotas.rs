//! `/v1/ai/quotas`: limits of usage, and where they stand.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::{QuotaId, Scope};
use db::{
    idempotency::{Answer, Answered, Request},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{
        IdempotencyKey, IfMatch, List, Page, PathId, ProblemBody, ValidJson, ValidQuery, body_hash, etag, stored_answer,
    },
};

use super::dto::quotas::{QuotaCreate, QuotaPatch, QuotaQuery, QuotaView, StandingView};
use crate::{
    app::{
        create_quota::create_quota,
        delete_quota::delete_quota,
        list_quotas::{Seen, get_quota, list_quotas, list_standings},
        update_quota::update_quota,
    },
    domain::quota::{Quota, Standing},
    state::AppState,
};

/// List quotas.
///
/// With `ai:write` all of the organization and of the installation, else those that concern you. The oldest first.
#[utoipa::path(get, path = "/v1/ai/quotas", tag = "quotas", operation_id = "list_quotas", params(QuotaQuery), responses(
    (status = 200, description = "A page of them", body = List<QuotaView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<QuotaQuery>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    let (page, filter) = query.into_inner().into_parts();
    let list = cursor::List::new("quotas")
        .within("user", who.user)
        .within("organization", who.org)
        .within("filter", format!("{filter:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_quotas(&state, &who, filter, after, page.limit).await?;
    let position = |(quota, _): &Seen| (quota.created_at, quota.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(QuotaView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Make a quota.
///
/// A call counts in the windows in which it was admitted: its estimate when it begins, what it used when it ends. A call
/// is refused with 429 `insufficient_quota` when the estimate does not fit into every quota that concerns it.
#[utoipa::path(post, path = "/v1/ai/quotas", tag = "quotas", operation_id = "create_quota",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = QuotaCreate, responses(
    (status = 201, description = "It exists", body = QuotaView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`quota_exists`, `limit_reached`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<QuotaCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let (realm, spec) = body.into_inner().into_parts();
    let route = "POST /v1/ai/quotas";
    let request = key.get().map(|key| Request::new(Some(who.org), Some(who.user), route, key, body_hash(&http)));
    let Answered { answer, replayed } = create_quota(&state, &who, realm, spec, request, created).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key. Nothing is used of a new quota.
fn created(quota: Quota) -> Result<Answer, serde_json::Error> {
    let view = QuotaView::from((quota, Vec::new()));
    Answer::created(format!("/v1/ai/quotas/{}", view.id), view.version, &view)
}

/// Read a quota, and where it stands.
#[utoipa::path(get, path = "/v1/ai/quotas/{id}", tag = "quotas", operation_id = "get_quota",
    params(("id" = uuid::Uuid, Path, description = "The quota")), responses(
    (status = 200, description = "The quota", body = QuotaView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`quota_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<QuotaId>) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    Ok(present(get_quota(&state, &who, id.0).await?))
}

/// Change a quota.
///
/// The new limit counts for what is used already. Calls that were admitted go on.
#[utoipa::path(patch, path = "/v1/ai/quotas/{id}", tag = "quotas", operation_id = "update_quota",
    params(("id" = uuid::Uuid, Path, description = "The quota"),
        ("If-Match" = Option<String>, Header, description = "Only change the quota when this is its `ETag`")),
    request_body(content = QuotaPatch, content_type = "application/json"), responses(
    (status = 200, description = "The quota as it is now", body = QuotaView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`quota_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<QuotaId>,
    expected: IfMatch,
    body: ValidJson<QuotaPatch>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    update_quota(&state, &who, id.0, expected.version(), body.into_inner().into_edit()).await?;
    Ok(present(get_quota(&state, &who, id.0).await?))
}

/// Delete a quota.
///
/// What was used stays in the usage records.
#[utoipa::path(delete, path = "/v1/ai/quotas/{id}", tag = "quotas", operation_id = "delete_quota",
    params(("id" = uuid::Uuid, Path, description = "The quota"),
        ("If-Match" = Option<String>, Header, description = "Only delete the quota when this is its `ETag`")), responses(
    (status = 204, description = "It is gone, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`quota_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<QuotaId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    delete_quota(&state, &who, id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List where a quota stands for each that it counts.
///
/// Those that used something of it in the current window, by id. A quota of the installation is shown for your
/// organization only.
#[utoipa::path(get, path = "/v1/ai/quotas/{id}/subjects", tag = "quotas", operation_id = "list_quota_subjects",
    params(("id" = uuid::Uuid, Path, description = "The quota"), Page), responses(
    (status = 200, description = "A page of them", body = List<StandingView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`quota_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn subjects(
    state: Data<AppState>,
    who: Principal,
    id: PathId<QuotaId>,
    page: Page,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let list = cursor::List::new("quota_subjects").within("organization", who.org).within("quota", id.0);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let (quota, found) = list_standings(&state, &who, id.0, after, page.limit).await?;
    let page = state.db.signer().page(&list, found, page.limit.into(), |standing: &Standing| standing.subject)?;
    let items = page.items.into_iter().map(|standing| StandingView::new(standing, quota.limit)).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

fn present(seen: Seen) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(seen.0.version)).json(QuotaView::from(seen))
}
