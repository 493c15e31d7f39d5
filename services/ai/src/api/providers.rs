//! `/v1/ai/providers`: who runs the models, and the keys for them.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::{ProviderId, Scope};
use db::{
    idempotency::{Answer, Answered, Request},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{
        IdempotencyKey, IfMatch, List, Page, PathId, ProblemBody, ValidJson, body_hash, codes, etag, stored_answer,
    },
};

use super::dto::providers::{ProviderCreate, ProviderPatch, ProviderTrial, ProviderView};
use crate::{
    app::{
        create_provider::create_provider, delete_provider::delete_provider, get_provider::get_provider,
        list_providers::list_providers, test_provider::test_provider, update_provider::update_provider,
    },
    domain::provider::ProviderRecord,
    state::AppState,
};

/// List providers.
///
/// Those of your organization; for the operators of the installation also its own. The oldest first.
#[utoipa::path(get, path = "/v1/ai/providers", tag = "providers", operation_id = "list_providers", params(Page), responses(
    (status = 200, description = "A page of them", body = List<ProviderView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(state: Data<AppState>, who: Principal, page: Page) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let list = cursor::List::new("providers").within("organization", who.org);
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_providers(&state, &who, after, usize::from(page.limit) + 1).await?;
    let position = |provider: &ProviderRecord| (provider.created_at, provider.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(ProviderView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Add a provider.
#[utoipa::path(post, path = "/v1/ai/providers", tag = "providers", operation_id = "create_provider",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = ProviderCreate, responses(
    (status = 201, description = "It exists", body = ProviderView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`provider_name_taken`, `limit_reached`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<ProviderCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let (realm, new) = body.into_inner().into_parts().ok_or_else(|| Problem::new(&codes::VALIDATION_FAILED))?;
    let route = "POST /v1/ai/providers";
    let request = key.get().map(|key| Request::new(Some(who.org), Some(who.user), route, key, body_hash(&http)));
    let Answered { answer, replayed } = create_provider(&state, &who, realm, new, request, created).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
fn created(provider: ProviderRecord) -> Result<Answer, serde_json::Error> {
    let view = ProviderView::from(provider);
    Answer::created(format!("/v1/ai/providers/{}", view.id), view.version, &view)
}

/// Read a provider.
#[utoipa::path(get, path = "/v1/ai/providers/{id}", tag = "providers", operation_id = "get_provider",
    params(("id" = uuid::Uuid, Path, description = "The provider")), responses(
    (status = 200, description = "The provider", body = ProviderView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`provider_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<ProviderId>) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    Ok(present(get_provider(&state, &who, id.0).await?))
}

/// Change a provider.
#[utoipa::path(patch, path = "/v1/ai/providers/{id}", tag = "providers", operation_id = "update_provider",
    params(("id" = uuid::Uuid, Path, description = "The provider"),
        ("If-Match" = Option<String>, Header, description = "Only change the provider when this is its `ETag`")),
    request_body(content = ProviderPatch, content_type = "application/json"), responses(
    (status = 200, description = "The provider as it is now", body = ProviderView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`provider_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`built_in`, `provider_name_taken`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ProviderId>,
    expected: IfMatch,
    body: ValidJson<ProviderPatch>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let provider = update_provider(&state, &who, id.0, expected.version(), body.into_inner().into()).await?;
    Ok(present(provider))
}

/// Delete a provider that no model has a route to.
#[utoipa::path(delete, path = "/v1/ai/providers/{id}", tag = "providers", operation_id = "delete_provider",
    params(("id" = uuid::Uuid, Path, description = "The provider"),
        ("If-Match" = Option<String>, Header, description = "Only delete the provider when this is its `ETag`")), responses(
    (status = 204, description = "It is gone, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`provider_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`built_in`, `provider_in_use`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ProviderId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    delete_provider(&state, &who, id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Try a provider: asks it for its models, which changes nothing and costs nothing.
#[utoipa::path(post, path = "/v1/ai/providers/{id}/test", tag = "providers", operation_id = "test_provider",
    params(("id" = uuid::Uuid, Path, description = "The provider")), responses(
    (status = 200, description = "What came of it", body = ProviderTrial),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`provider_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn test(state: Data<AppState>, who: Principal, id: PathId<ProviderId>) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    Ok(HttpResponse::Ok().json(ProviderTrial::from(test_provider(&state, &who, id.0).await?)))
}

fn present(provider: ProviderRecord) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(provider.version)).json(ProviderView::from(provider))
}
