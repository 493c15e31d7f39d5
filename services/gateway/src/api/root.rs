//! The way in, and where there is none.

use actix_web::HttpResponse;
use kit::Problem;
use kit::http::codes;
use serde::Serialize;
use utoipa::ToSchema;

/// Where to go from here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Welcome {
    /// The system's name.
    #[schema(example = "BrainOps")]
    name: &'static str,
    /// The gateway's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The browsable description of the API.
    #[schema(example = "/docs/")]
    docs: &'static str,
    /// The same for programs, as OpenAPI 3.1.
    #[schema(example = "/openapi.json")]
    openapi: &'static str,
}

/// Says what this is and where its documentation is
#[utoipa::path(get, path = "/", tag = "gateway", operation_id = "welcome", responses((status = 200, description = "Where to go from here.", body = Welcome)))]
pub async fn root() -> HttpResponse {
    HttpResponse::Ok().json(Welcome {
        name: "BrainOps",
        version: env!("CARGO_PKG_VERSION"),
        docs: "/docs/",
        openapi: "/openapi.json",
    })
}

/// Everything that is in no table.
pub async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(&codes::NOT_FOUND).detail("No route leads here; /docs/ lists those that exist"))
}
