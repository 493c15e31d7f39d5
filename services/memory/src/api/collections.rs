//! `/v1/memory/collections`: documents that belong together.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::CollectionId;
use db::{
    idempotency::{Answer, Answered},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, IfMatch, List, PathId, ProblemBody, ValidJson, ValidQuery, etag, stored_answer},
};

use super::{
    dto::collections::{CollectionCreate, CollectionPatch, CollectionQuery, CollectionView},
    repeatable,
};
use crate::{
    app::{
        create_collection::create_collection, delete_collection::delete_collection, get_collection::get_collection,
        list_collections::list_collections, update_collection::update_collection,
    },
    domain::{access::allow, collection::Collection},
    error::Error,
    state::AppState,
};

/// List collections.
///
/// Yours, those that the organization shares and, for admins, those of applications' users. The newest first.
#[utoipa::path(get, path = "/v1/memory/collections", tag = "documents", operation_id = "list_collections", params(CollectionQuery), responses(
    (status = 200, description = "A page of them", body = List<CollectionView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<CollectionQuery>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let (page, wanted) = query.into_inner().into_parts(&allowed)?;
    let list = cursor::List::new("collections").within("organization", who.org).within("filter", format!("{wanted:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_collections(&state, &allowed, wanted, after, page.limit).await?;
    let position = |collection: &Collection| (collection.created_at, collection.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(CollectionView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Make a collection.
///
/// An organization has at most 1000.
#[utoipa::path(post, path = "/v1/memory/collections", tag = "documents", operation_id = "create_collection",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = CollectionCreate, responses(
    (status = 201, description = "It exists", body = CollectionView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `not_yours`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`collection_exists`, `limit_reached`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<CollectionCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let request = repeatable(&who, "POST /v1/memory/collections", &key, &http);
    let new = body.into_inner().into_new(&allowed).map_err(Error::from)?;
    let origin = who.origin(&*state.clock);
    let Answered { answer, replayed } = create_collection(&state, &allowed, origin, new, request, created).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
fn created(collection: Collection) -> Result<Answer, serde_json::Error> {
    let view = CollectionView::from(collection);
    Answer::created(format!("/v1/memory/collections/{}", view.id), view.version, &view)
}

/// Read a collection.
#[utoipa::path(get, path = "/v1/memory/collections/{id}", tag = "documents", operation_id = "get_collection",
    params(("id" = uuid::Uuid, Path, description = "The collection")), responses(
    (status = 200, description = "The collection", body = CollectionView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`collection_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<CollectionId>) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    Ok(present(get_collection(&state, &allowed, id.0).await?))
}

/// Change the name, description or metadata of a collection.
#[utoipa::path(patch, path = "/v1/memory/collections/{id}", tag = "documents", operation_id = "update_collection",
    params(("id" = uuid::Uuid, Path, description = "The collection"),
        ("If-Match" = Option<String>, Header, description = "Only change the collection when this is its `ETag`")),
    request_body(content = CollectionPatch, content_type = "application/json"), responses(
    (status = 200, description = "The collection as it is now", body = CollectionView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`collection_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`collection_exists`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<CollectionId>,
    expected: IfMatch,
    body: ValidJson<CollectionPatch>,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    let change = body.into_inner().into_change();
    let now = state.clock.now();
    Ok(present(update_collection(&state, &allowed, id.0, change, expected.version(), now).await?))
}

/// Forget a collection.
///
/// Its documents go with it.
#[utoipa::path(delete, path = "/v1/memory/collections/{id}", tag = "documents", operation_id = "delete_collection",
    params(("id" = uuid::Uuid, Path, description = "The collection"),
        ("If-Match" = Option<String>, Header, description = "Only forget the collection when this is its `ETag`")), responses(
    (status = 204, description = "It is forgotten, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`not_found`: the id is none", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<CollectionId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let allowed = allow(&who).map_err(Error::from)?;
    delete_collection(&state, &allowed, who.origin(&*state.clock), id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn present(collection: Collection) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(collection.version)).json(CollectionView::from(collection))
}
