//! The route table and its OpenAPI document, nothing else.

mod dto;
mod memories;
mod messages;
mod search;
mod sessions;

use actix_web::{
    HttpRequest,
    web::{self, ServiceConfig},
};
use db::idempotency::Request;
use kit::{
    Principal,
    http::{IdempotencyKey, body_hash},
    openapi::Bearer,
};
use utoipa::OpenApi;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/v1/memory/sessions")
                .route(web::get().to(sessions::list))
                .route(web::post().to(sessions::create)),
        )
        .service(
            web::resource("/v1/memory/sessions/{id}")
                .route(web::get().to(sessions::get))
                .route(web::patch().to(sessions::update))
                .route(web::delete().to(sessions::delete)),
        )
        .service(web::resource("/v1/memory/sessions/{id}/fork").route(web::post().to(sessions::fork)))
        .service(
            web::resource("/v1/memory/sessions/{id}/messages")
                .route(web::get().to(messages::list))
                .route(web::post().to(messages::append)),
        )
        .service(
            web::resource("/v1/memory/memories")
                .route(web::get().to(memories::list))
                .route(web::post().to(memories::create)),
        )
        .service(
            web::resource("/v1/memory/memories/{id}")
                .route(web::get().to(memories::get))
                .route(web::patch().to(memories::update))
                .route(web::delete().to(memories::delete)),
        )
        .service(web::resource("/v1/memory/memories/{id}/history").route(web::get().to(memories::history)))
        .service(web::resource("/v1/memory/search").route(web::post().to(search::run)));
}

/// The request, if it brings a key by which it can be repeated.
fn repeatable(who: &Principal, route: &str, key: &IdempotencyKey, http: &HttpRequest) -> Option<Request> {
    key.get().map(|key| Request::new(Some(who.org), Some(who.user), route, key, body_hash(http)))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps memory",
        description = "Conversations, memories and documents of an organization, and the search that finds them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        sessions::list,
        sessions::create,
        sessions::get,
        sessions::update,
        sessions::delete,
        sessions::fork,
        messages::list,
        messages::append,
        memories::list,
        memories::create,
        memories::get,
        memories::update,
        memories::delete,
        memories::history,
        search::run
    ),
    modifiers(&Bearer)
)]
pub struct Api;
