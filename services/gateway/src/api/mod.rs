//! The route table of the gateway's own endpoints, and the way into [`ROUTES`] for all others.

mod caller;
mod compress;
mod cors;
mod docs;
mod error_pages;
mod forward;
mod limit;
mod root;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use kit::Ids;
use utoipa::OpenApi;

use crate::domain::route::ROUTES;
use crate::proxy::Pool;
use crate::state::State;
use crate::upstream::Dice;

/// Adds everything to an application; called once a worker, so that each has its own connections.
pub fn routes(state: State, ids: Arc<dyn Ids>) -> impl Fn(&mut ServiceConfig) + Send + Sync + 'static {
    let pages = error_pages::Pages::render();
    move |config| {
        let mut seed = [0; 8];
        ids.random(&mut seed);
        config
            .app_data(web::Data::new(state.clone()))
            .app_data(web::Data::new(pages.clone()))
            .app_data(web::Data::new(Pool::default()))
            .app_data(web::Data::new(Dice::new(u64::from_ne_bytes(seed))))
            .service(
                web::scope("")
                    .wrap(from_fn(limit::limit))
                    .wrap(from_fn(compress::compress))
                    .wrap(from_fn(cors::cors))
                    .configure(table),
            );
    }
}

fn table(config: &mut ServiceConfig) {
    config
        .service(web::resource("/").route(web::get().to(root::root)))
        .service(web::resource("/openapi.json").route(web::get().to(docs::openapi)))
        .service(web::resource("/docs").route(web::get().to(docs::redirect)))
        .service(web::resource("/docs/errors").route(web::get().to(error_pages::index)))
        .service(web::resource("/docs/errors/style.css").route(web::get().to(error_pages::style)))
        .service(web::resource("/docs/errors/{code}").route(web::get().to(error_pages::page)))
        .service(web::resource("/docs/{file:[^/]*}").route(web::get().to(docs::file)));
    for route in ROUTES {
        // The router decodes what it compares; `forward` looks at the bytes as they were sent.
        config.service(web::resource(route.template()).to(forward::forward));
    }
    config.default_service(web::to(root::not_found));
}

/// The description of the gateway's own endpoints.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps",
        description = "Everything that BrainOps does, behind one address.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(root::root, docs::openapi, error_pages::page),
    tags((name = "gateway", description = "What the gateway answers itself."))
)]
struct Api;
