//! The merged description of the API, and a page to browse it that needs nothing from elsewhere.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpResponse, web};
use kit::Problem;
use kit::http::codes;
use utoipa_swagger_ui::Config;

use crate::state::State;

static SWAGGER: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::new(["/openapi.json"])
        // Otherwise the page asks a server on the internet to validate the description.
        .validator_url("none")
        .display_request_duration(true)
        .filter(true)
        .persist_authorization(false)
        // One address, always: `?url=` must not make this page show somebody else's description.
        .query_config_enabled(false);
    Arc::new(config)
});

/// Scripts and styles from here only; React sets styles on elements, images are partly inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Describes the whole API
///
/// The descriptions of all services in one document, for this address.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "gateway",
    operation_id = "openapi",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value, content_type = "application/json"))
)]
pub async fn openapi(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::json())
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(state.description().json())
}

/// `/docs` has relative links in it, so it is a folder.
pub async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// The page and what belongs to it.
pub async fn file(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let file =
        utoipa_swagger_ui::serve(&name, Arc::clone(&SWAGGER)).map_err(|error| Problem::internal(error.to_string()))?;
    let file = file.ok_or_else(|| Problem::new(&codes::NOT_FOUND))?;
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(file.bytes.into_owned()))
}
