//! The route table and its OpenAPI document, nothing else.

mod collections;
mod context;
mod documents;
pub mod dto;
mod extractions;
mod forget;
mod mem0;
pub mod memories;
mod messages;
mod search;
pub mod sessions;
mod summaries;
mod transfer;

use std::time::Duration;

use actix_web::{
    HttpRequest,
    web::{self, PayloadConfig, ServiceConfig},
};
use db::idempotency::Request;
use kit::{
    Principal,
    http::{BodyLimit, IdempotencyKey, body_hash},
    openapi::Bearer,
};
use utoipa::OpenApi;

use crate::domain::document::LARGEST;

/// Largest body of an upload: base64 makes four characters of three bytes, and there is something beside it; in bytes.
const UPLOAD: usize = LARGEST / 3 * 4 + (1 << 20);

/// Largest body of an import, in bytes.
const IMPORT: usize = 32 << 20;

/// Until such a body must be there: so much in two minutes is a slow line.
const UPLOAD_TIME: Duration = Duration::from_mins(2);

/// Routes that take other bodies than the rest.
pub fn body_limits() -> Vec<BodyLimit> {
    let limit = |route: &'static str, bytes| BodyLimit { route: route.into(), bytes, timeout: UPLOAD_TIME };
    vec![limit("/v1/memory/documents", UPLOAD), limit("/v1/memory/import", IMPORT)]
}

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
        .service(web::resource("/v1/memory/sessions/{id}/export").route(web::get().to(transfer::take_session)))
        .service(web::resource("/v1/memory/sessions/{id}/summarize").route(web::post().to(summaries::summarize)))
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
        .service(web::resource("/v1/memory/memories/bulk").route(web::post().to(memories::create_many)))
        .service(
            web::resource("/v1/memory/memories/{id}")
                .route(web::get().to(memories::get))
                .route(web::patch().to(memories::update))
                .route(web::delete().to(memories::delete)),
        )
        .service(web::resource("/v1/memory/memories/{id}/history").route(web::get().to(memories::history)))
        .service(web::resource("/v1/memory/extractions/{id}").route(web::get().to(extractions::get)))
        .service(
            web::resource("/v1/memory/collections")
                .route(web::get().to(collections::list))
                .route(web::post().to(collections::create)),
        )
        .service(
            web::resource("/v1/memory/collections/{id}")
                .route(web::get().to(collections::get))
                .route(web::patch().to(collections::update))
                .route(web::delete().to(collections::delete)),
        )
        .service(
            web::resource("/v1/memory/documents")
                .route(web::get().to(documents::list))
                .route(web::post().to(documents::create)),
        )
        .service(
            web::resource("/v1/memory/documents/{id}")
                .route(web::get().to(documents::get))
                .route(web::delete().to(documents::delete)),
        )
        .service(web::resource("/v1/memory/documents/{id}/reindex").route(web::post().to(documents::reindex)))
        .service(web::resource("/v1/memory/documents/{id}/chunks").route(web::get().to(documents::chunks)))
        .service(web::resource("/v1/memory/search").route(web::post().to(search::run)))
        .service(web::resource("/v1/memory/context").route(web::post().to(context::build)))
        .service(web::resource("/v1/memory/forget").route(web::post().to(forget::run)))
        .service(web::resource("/v1/memory/export").route(web::get().to(transfer::take)))
        .service(
            web::resource("/v1/memory/import")
                .app_data(PayloadConfig::new(IMPORT))
                .route(web::post().to(transfer::bring)),
        )
        .configure(mem0::routes);
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
        summaries::summarize,
        messages::list,
        messages::append,
        memories::list,
        memories::create,
        memories::create_many,
        memories::get,
        memories::update,
        memories::delete,
        memories::history,
        extractions::get,
        collections::list,
        collections::create,
        collections::get,
        collections::update,
        collections::delete,
        documents::list,
        documents::create,
        documents::get,
        documents::delete,
        documents::reindex,
        documents::chunks,
        search::run,
        context::build,
        forget::run,
        transfer::take,
        transfer::take_session,
        transfer::bring,
        mem0::ping,
        mem0::add,
        mem0::add_v1,
        mem0::event,
        mem0::search,
        mem0::list,
        mem0::get,
        mem0::update,
        mem0::delete,
        mem0::delete_all,
        mem0::history
    ),
    modifiers(&Bearer)
)]
pub struct Api;
