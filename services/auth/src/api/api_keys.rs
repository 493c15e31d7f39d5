//! `/v1/auth/api-keys`: keys for programs.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, LOCATION},
    web::Data,
};
use chrono::{DateTime, Utc};
use contracts::{ApiKeyId, Scope};
use db::{
    idempotency::{Answer, Request},
    page::List as ListKey,
};
use kit::{
    Principal, Problem,
    http::{
        IdempotencyKey, IfMatch, List, PathId, ProblemBody, RequestContext, ValidJson, ValidQuery, body_hash, etag,
        stored_answer,
    },
};

use super::dto::{
    api_keys::{ApiKeyCreate, ApiKeyIssued, ApiKeyPatch, ApiKeyQuery, ApiKeyRotate, ApiKeyView},
    device,
};
use crate::{
    app::{
        create_api_key::{Issued, create_api_key},
        get_api_key::get_api_key,
        list_api_keys::list_api_keys,
        revoke_api_key::revoke_api_key,
        rotate_api_key::rotate_api_key,
        update_api_key::update_api_key,
    },
    domain::api_key::ApiKey,
    state::AppState,
};

/// Make an API key.
///
/// It acts for you in the organization that your token is for, within the scopes that you give it out of your own. The
/// answer is the only one that shows the key. A sign-in must not be older than ten minutes. A key with `api_keys:write` may
/// make keys too, which allow no more, last no longer and work from nowhere else than itself.
#[utoipa::path(post, path = "/v1/auth/api-keys", tag = "API keys", operation_id = "create_api_key", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; for 24 hours the same key returns the first answer, without the API key")),
    request_body = ApiKeyCreate, responses(
    (status = 201, description = "The key, for the only time", body = ApiKeyIssued, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`, `reauthentication_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_grantable`, `account_disabled`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`organization_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`too_many_api_keys`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`, `invalid_idempotency_key`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    context: RequestContext,
    key: IdempotencyKey,
    body: ValidJson<ApiKeyCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::ApiKeysWrite)?;
    let request = once(&who, &key, "POST /v1/auth/api-keys", &http);
    let issued = create_api_key(&state, &who, body.into_inner().into(), device(context), request, stored).await?;
    Ok(present_issued(issued))
}

/// List API keys, the newest first.
#[utoipa::path(get, path = "/v1/auth/api-keys", tag = "API keys", operation_id = "list_api_keys", security(("access_token" = [])), params(ApiKeyQuery), responses(
    (status = 200, description = "A page of keys of the organization that you act in", body = List<ApiKeyView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `role_insufficient`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<ApiKeyQuery>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::ApiKeysRead)?;
    let filter = query.filter(who.user);
    let list = ListKey::new("api_keys").within("organization", who.org).within("user", who.user);
    let list = list.within("filter", query.name());
    let after = state.db.signer().decode_optional(&list, query.cursor.as_deref())?;
    let found = list_api_keys(&state, &who, filter, after, query.limit.into()).await?;
    let page = state.db.signer().page(&list, found, query.limit.into(), |key| (key.created_at, key.id))?;
    let now = state.clock.now();
    let items: Vec<_> = page.items.into_iter().map(|key| ApiKeyView::new(key, now)).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Read an API key, without its secret.
#[utoipa::path(get, path = "/v1/auth/api-keys/{id}", tag = "API keys", operation_id = "get_api_key", security(("access_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The key")), responses(
    (status = 200, description = "The key", body = ApiKeyView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`api_key_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<ApiKeyId>) -> Result<HttpResponse, Problem> {
    who.require(Scope::ApiKeysRead)?;
    Ok(present(get_api_key(&state, &who, id.0).await?, state.clock.now()))
}

/// Change one of your API keys.
///
/// What it may no longer do is refused within five seconds. To give it more, a sign-in must not be older than ten minutes.
#[utoipa::path(patch, path = "/v1/auth/api-keys/{id}", tag = "API keys", operation_id = "update_api_key", security(("access_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The key"), ("If-Match" = Option<String>, Header, description = "Only change the key when this is its `ETag`")),
    request_body(content = ApiKeyPatch, content_type = "application/json"), responses(
    (status = 200, description = "The key as it is now", body = ApiKeyView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`, `reauthentication_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_grantable`, `not_key_owner`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`api_key_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`api_key_not_active`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ApiKeyId>,
    context: RequestContext,
    expected: IfMatch,
    body: ValidJson<ApiKeyPatch>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::ApiKeysWrite)?;
    let edit = body.into_inner().into();
    let key = update_api_key(&state, &who, id.0, edit, expected.version(), device(context)).await?;
    Ok(present(key, state.clock.now()))
}

/// Revoke an API key, yours or as an admin anybody's in the organization.
///
/// It is refused everywhere within five seconds, and for good.
#[utoipa::path(delete, path = "/v1/auth/api-keys/{id}", tag = "API keys", operation_id = "revoke_api_key", security(("access_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The key"), ("If-Match" = Option<String>, Header, description = "Only revoke the key when this is its `ETag`")), responses(
    (status = 204, description = "It is revoked, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_key_owner`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`api_key_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn revoke(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ApiKeyId>,
    context: RequestContext,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::ApiKeysWrite)?;
    revoke_api_key(&state, &who, id.0, expected.version(), device(context)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replace one of your API keys by a new one that allows the same.
///
/// The answer is the only one that shows the new key, which has an id of its own. The old key works on for the grace that you
/// choose, and without one stops at once. A sign-in must not be older than ten minutes.
#[utoipa::path(post, path = "/v1/auth/api-keys/{id}/rotate", tag = "API keys", operation_id = "rotate_api_key", security(("access_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The key to replace"), ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; for 24 hours the same key returns the first answer, without the API key")),
    request_body = ApiKeyRotate, responses(
    (status = 201, description = "The new key, for the only time", body = ApiKeyIssued, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`, `reauthentication_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_grantable`, `not_key_owner`, `account_disabled`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`api_key_not_found`, `not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`api_key_not_active`, `too_many_api_keys`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`, `invalid_idempotency_key`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn rotate(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ApiKeyId>,
    context: RequestContext,
    key: IdempotencyKey,
    body: ValidJson<ApiKeyRotate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::ApiKeysWrite)?;
    // The path is part of what is asked for: the same key for another API key is another request.
    let request = once(&who, &key, &format!("POST /v1/auth/api-keys/{}/rotate", id.0), &http);
    let wish = body.into_inner().into();
    let issued = rotate_api_key(&state, &who, id.0, wish, device(context), request, stored).await?;
    Ok(present_issued(issued))
}

fn once(who: &Principal, key: &IdempotencyKey, route: &str, http: &HttpRequest) -> Option<Request> {
    key.get().map(|key| Request::new(Some(who.org), Some(who.user), route, key, body_hash(http)))
}

fn present(key: ApiKey, now: DateTime<Utc>) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(key.version)).json(ApiKeyView::new(key, now))
}

fn location(id: ApiKeyId) -> String {
    format!("/v1/auth/api-keys/{id}")
}

/// The key goes to who asked and to nobody on the way.
fn present_issued(issued: Issued) -> HttpResponse {
    match issued {
        Issued::New(key, text) => {
            let mut answer = HttpResponse::Created();
            answer.insert_header((LOCATION, location(key.id))).insert_header(etag(key.version));
            answer.insert_header((CACHE_CONTROL, "no-store"));
            let made_at = key.created_at;
            answer.json(ApiKeyIssued { key: Some(text.expose().to_owned()), view: ApiKeyView::new(*key, made_at) })
        }
        Issued::Repeated(Answer { status, headers, body }) => stored_answer(status, &headers, body, true),
    }
}

/// The answer as it is stored with its `Idempotency-Key`: all but the key.
fn stored(key: &ApiKey) -> Result<Answer, serde_json::Error> {
    let body = ApiKeyIssued { key: None, view: ApiKeyView::new(key.clone(), key.created_at) };
    Ok(Answer::created(location(key.id), key.version, &body)?.with_header("cache-control", "no-store"))
}
