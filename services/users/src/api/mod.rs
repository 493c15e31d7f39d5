//! The route table and its OpenAPI document, nothing else.

mod dto;
mod organizations;
mod profile;

use actix_web::web::{self, ServiceConfig};
use kit::openapi::Bearer;
use utoipa::OpenApi;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/v1/users/me").route(web::get().to(profile::me)).route(web::patch().to(profile::update_me)),
        )
        .service(
            web::resource("/v1/organizations")
                .route(web::get().to(organizations::list))
                .route(web::post().to(organizations::create)),
        )
        .service(web::resource("/v1/organizations/{id}").route(web::get().to(organizations::get)))
        .service(web::resource("/v1/organizations/{id}/members").route(web::get().to(organizations::members)));
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps users",
        description = "People's profiles, organizations and who belongs to them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        profile::me,
        profile::update_me,
        organizations::list,
        organizations::create,
        organizations::get,
        organizations::members
    ),
    modifiers(&Bearer)
)]
pub struct Api;
