//! `/v1/ai/models`: models as they are managed. What a caller may use, in OpenAI's form, is at `/v1/models`.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use contracts::{ModelId, Scope};
use db::{
    idempotency::{Answer, Answered, Request},
    page as cursor,
};
use kit::{
    Principal, Problem,
    http::{IdempotencyKey, IfMatch, List, PathId, ProblemBody, ValidJson, ValidQuery, body_hash, etag, stored_answer},
};

use super::dto::models::{ModelCreate, ModelPatch, ModelQuery, ModelView};
use crate::{
    app::{
        create_model::create_model,
        delete_model::delete_model,
        list_model_records::{Seen, get_model_record, list_model_records},
        update_model::update_model,
    },
    domain::model::ModelRecord,
    state::AppState,
};

/// List models.
///
/// With `ai:write` all of the organization and of the installation, else those that you may use. Ordered by alias.
#[utoipa::path(get, path = "/v1/ai/models", tag = "models", operation_id = "list_model_definitions", params(ModelQuery), responses(
    (status = 200, description = "A page of them", body = List<ModelView>),
    (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(
    state: Data<AppState>,
    who: Principal,
    query: ValidQuery<ModelQuery>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    let (page, filter) = query.into_inner().into_parts();
    let list = cursor::List::new("models")
        .within("user", who.user)
        .within("organization", who.org)
        .within("filter", format!("{filter:?}"));
    let after = state.db.signer().decode_optional(&list, page.cursor.as_deref())?;
    let found = list_model_records(&state, &who, filter, after, usize::from(page.limit) + 1).await?;
    let position = |(model, _): &Seen| (model.definition.alias.clone(), model.id);
    let page = state.db.signer().page(&list, found, page.limit.into(), position)?;
    let items = page.items.into_iter().map(ModelView::from).collect();
    Ok(HttpResponse::Ok().json(List { items, next_cursor: page.next_cursor }))
}

/// Make a model.
#[utoipa::path(post, path = "/v1/ai/models", tag = "models", operation_id = "create_model",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; the same key returns the first answer for 24 hours")),
    request_body = ModelCreate, responses(
    (status = 201, description = "It exists", body = ModelView, headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`alias_taken`, `limit_reached`, `idempotency_in_flight`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `idempotency_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn create(
    state: Data<AppState>,
    who: Principal,
    key: IdempotencyKey,
    body: ValidJson<ModelCreate>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let (realm, definition, routes) = body.into_inner().into_parts();
    let route = "POST /v1/ai/models";
    let request = key.get().map(|key| Request::new(Some(who.org), Some(who.user), route, key, body_hash(&http)));
    let Answered { answer, replayed } = create_model(&state, &who, realm, definition, routes, request, created).await?;
    Ok(stored_answer(answer.status, &answer.headers, answer.body, replayed))
}

/// The answer to a create, as it is stored with its key.
fn created(model: ModelRecord) -> Result<Answer, serde_json::Error> {
    let view = ModelView::from((model, true));
    Answer::created(format!("/v1/ai/models/{}", view.id), view.version, &view)
}

/// Read a model.
#[utoipa::path(get, path = "/v1/ai/models/{id}", tag = "models", operation_id = "get_model_definition",
    params(("id" = uuid::Uuid, Path, description = "The model")), responses(
    (status = 200, description = "The model", body = ModelView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`model_not_found`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn get(state: Data<AppState>, who: Principal, id: PathId<ModelId>) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiRead)?;
    Ok(present(get_model_record(&state, &who, id.0).await?))
}

/// Change a model.
///
/// A model that came with the installation is kept as changed; deleting it brings the original back.
#[utoipa::path(patch, path = "/v1/ai/models/{id}", tag = "models", operation_id = "update_model",
    params(("id" = uuid::Uuid, Path, description = "The model"),
        ("If-Match" = Option<String>, Header, description = "Only change the model when this is its `ETag`")),
    request_body(content = ModelPatch, content_type = "application/json"), responses(
    (status = 200, description = "The model as it is now", body = ModelView, headers(("ETag" = String, description = "The version"))),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`model_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`alias_taken`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn update(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ModelId>,
    expected: IfMatch,
    body: ValidJson<ModelPatch>,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    let (edit, routes) = body.into_inner().into_parts();
    let model = update_model(&state, &who, id.0, expected.version(), edit, routes).await?;
    Ok(present((model, true)))
}

/// Delete a model.
///
/// One of the installation's that an operator has changed is reset to what it came as.
#[utoipa::path(delete, path = "/v1/ai/models/{id}", tag = "models", operation_id = "delete_model",
    params(("id" = uuid::Uuid, Path, description = "The model"),
        ("If-Match" = Option<String>, Header, description = "Only delete the model when this is its `ETag`")), responses(
    (status = 204, description = "It is gone, now or before"),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`insufficient_scope`, `operator_required`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "`model_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "`built_in`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 412, description = "`precondition_failed`", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn delete(
    state: Data<AppState>,
    who: Principal,
    id: PathId<ModelId>,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    who.require(Scope::AiWrite)?;
    delete_model(&state, &who, id.0, expected.version()).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn present(seen: Seen) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(seen.0.version)).json(ModelView::from(seen))
}
