//! `/v1/memory/compat/mem0`: mem0's protocol, for clients that were written for it. What its names stand for here, and what is
//! not supported, is written in `docs/mem0.md`.
//!
//! These routes differ from all others, because those clients do: paths end in a slash, every success is a 200 with JSON,
//! errors are plain JSON with a `detail` (kit writes them so), and members that nobody knows are passed over.

mod find;
mod memories;

use actix_web::{
    HttpResponse,
    web::{self, ServiceConfig},
};
use kit::{Principal, Problem};

use super::dto::mem0::view::Mem0Ping;
use crate::{
    domain::access::{Allowed, Read, allow},
    error::Error,
};

pub use self::{find::*, memories::*};

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/v1/memory/compat/mem0/v1/ping/").route(web::get().to(ping)))
        .service(web::resource("/v1/memory/compat/mem0/v3/memories/add/").route(web::post().to(add)))
        .service(web::resource("/v1/memory/compat/mem0/v1/event/{id}/").route(web::get().to(event)))
        .service(
            web::resource(["/v1/memory/compat/mem0/v3/memories/search/", "/v1/memory/compat/mem0/v2/memories/search/"])
                .route(web::post().to(search)),
        )
        .service(
            web::resource(["/v1/memory/compat/mem0/v3/memories/", "/v1/memory/compat/mem0/v2/memories/"])
                .route(web::post().to(list)),
        )
        .service(
            web::resource("/v1/memory/compat/mem0/v1/memories/")
                .route(web::post().to(add_v1))
                .route(web::delete().to(delete_all)),
        )
        .service(
            web::resource("/v1/memory/compat/mem0/v1/memories/{id}/")
                .route(web::get().to(get))
                .route(web::put().to(update))
                .route(web::delete().to(delete)),
        )
        .service(web::resource("/v1/memory/compat/mem0/v1/memories/{id}/history/").route(web::get().to(history)));
}

/// Whether the address and the key are good.
#[utoipa::path(get, path = "/v1/memory/compat/mem0/v1/ping/", tag = "mem0", operation_id = "ping_mem0", responses(
    (status = 200, description = "They are", body = Mem0Ping),
    (status = 401, description = "`unauthenticated`, `invalid_token`", body = kit::http::ProblemBody),
    (status = 403, description = "`insufficient_scope`", body = kit::http::ProblemBody),
))]
pub async fn ping(who: Principal) -> Result<HttpResponse, Problem> {
    let allowed: Allowed<Read> = allow(&who).map_err(Error::from)?;
    let org_id = allowed.org.uuid();
    // Python's client does without neither of the two.
    Ok(HttpResponse::Ok().json(Mem0Ping { status: "ok", org_id, project_id: org_id }))
}
