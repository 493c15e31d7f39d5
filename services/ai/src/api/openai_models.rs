//! The models that the caller may use, as OpenAI lists them, or as Anthropic does for Anthropic's clients.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use contracts::Scope;
use kit::{
    Principal, Problem,
    http::{ErrorForm, error_form},
};

use super::answer;
use crate::{
    app::list_models::{get_model, list_models},
    domain::{caller::Caller, chat::Dialect, model::Model},
    protocol::models::{self, Listed},
    state::AppState,
};

/// List the models that you may use.
///
/// In OpenAI's form, or in Anthropic's when the header `anthropic-version` is there. All on one page.
#[utoipa::path(get, path = "/v1/models", tag = "models", operation_id = "list_usable_models", responses(
    (status = 200, description = "The models, by name", body = Value),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = Value),
    (status = 403, description = "`insufficient_scope`", body = Value),
))]
pub async fn list(state: Data<AppState>, who: Principal, http: HttpRequest) -> Result<HttpResponse, Problem> {
    may_see(&who)?;
    let usable = match list_models(&state, &Caller::from(&who)).await {
        Ok(usable) => usable,
        Err(error) => return Ok(answer::refused(&http, form(&http), &error)),
    };
    let shown: Vec<Listed<'_>> = usable.iter().map(|model| listed(model)).collect();
    Ok(HttpResponse::Ok().json(models::list(&shown, form(&http))))
}

/// Read a model that you may use.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "models", operation_id = "get_usable_model",
    params(("model" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The model, in the form of the list", body = Value),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = Value),
    (status = 403, description = "`insufficient_scope`, `model_not_allowed`", body = Value),
    (status = 404, description = "`model_not_found`", body = Value),
))]
pub async fn get(
    state: Data<AppState>,
    who: Principal,
    alias: Path<String>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    may_see(&who)?;
    let model = get_model(&state, &Caller::from(&who), &alias).await;
    Ok(model.map_or_else(
        |error| answer::refused(&http, form(&http), &error),
        |model| HttpResponse::Ok().json(models::one(&listed(&model), form(&http))),
    ))
}

/// Whoever may call models may know which.
fn may_see(who: &Principal) -> Result<(), Problem> {
    who.require(Scope::AiRead).or_else(|refused| who.require(Scope::AiInvoke).map_err(|_| refused))
}

/// Whose clients ask.
fn form(http: &HttpRequest) -> Dialect {
    match error_form(http.path(), http.headers()) {
        ErrorForm::Anthropic => Dialect::Messages,
        _ => Dialect::ChatCompletions,
    }
}

fn listed(model: &Model) -> Listed<'_> {
    Listed {
        alias: &model.alias,
        display_name: model.display_name.as_deref(),
        created: model.created_at,
        owned_by: model.routes.first().map_or("brainops", |route| route.provider.name.as_str()),
        context_window: model.context_window,
        max_output_tokens: model.max_output_tokens,
    }
}
