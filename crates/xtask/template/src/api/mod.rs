//! The route table and its OpenAPI document, nothing else.

mod dto;
mod widgets;

use actix_web::web::{self, ServiceConfig};
use kit::openapi::Bearer;
use utoipa::OpenApi;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/v1/widgets").route(web::get().to(widgets::list)).route(web::post().to(widgets::create)),
        )
        .service(web::resource("/v1/widgets/{id}").route(web::get().to(widgets::get)));
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps specimen",
        description = "Widgets of an organization.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(widgets::list, widgets::create, widgets::get),
    modifiers(&Bearer)
)]
pub struct Api;
