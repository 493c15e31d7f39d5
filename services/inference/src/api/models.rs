//! `GET /v1/models`.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use kit::Problem;

use super::{
    caller::Caller,
    dto::{ErrorBody, ModelList, ModelView},
};
use crate::{
    app::list_models::{Model, get_model, list_models},
    state::AppState,
};

/// List the models that are served.
#[utoipa::path(get, path = "/v1/models", tag = "models", operation_id = "list_models", responses(
    (status = 200, description = "All of them", body = ModelList),
    (status = 401, description = "`invalid_api_key`", body = ErrorBody),
))]
pub async fn list(state: Data<AppState>, _caller: Caller) -> HttpResponse {
    let data = list_models(&state).into_iter().map(ModelView::from).collect();
    HttpResponse::Ok().json(ModelList { object: "list", data })
}

/// Look a model up.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "models", operation_id = "get_model",
    params(("model" = String, Path, description = "A name from the list")), responses(
    (status = 200, description = "It is served", body = ModelView),
    (status = 401, description = "`invalid_api_key`", body = ErrorBody),
    (status = 404, description = "`model_not_found`", body = ErrorBody),
))]
pub async fn get(state: Data<AppState>, _caller: Caller, name: Path<String>) -> Result<HttpResponse, Problem> {
    let model = get_model(&state, &name)?;
    Ok(HttpResponse::Ok().json(ModelView::from(model)))
}

impl From<Model> for ModelView {
    fn from(model: Model) -> Self {
        Self { id: model.name, object: "model", created: model.created, owned_by: "brainops" }
    }
}
