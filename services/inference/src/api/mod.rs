//! The route table and its OpenAPI document, nothing else.

mod body;
mod caller;
mod chat_completions;
mod completions;
mod dto;
mod embeddings;
mod models;
mod options;
mod sse;

use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use kit::http::BodyLimit;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        SecurityRequirement,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

/// Routes that take more than others.
pub fn body_limits() -> Vec<BodyLimit> {
    // A full batch of texts as long as the model reads them.
    vec![BodyLimit { route: "/v1/embeddings".into(), bytes: 8 << 20, timeout: Duration::from_secs(30) }]
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/v1/chat/completions").route(web::post().to(chat_completions::create)))
        .service(web::resource("/v1/completions").route(web::post().to(completions::create)))
        .service(web::resource("/v1/embeddings").route(web::post().to(embeddings::create)))
        .service(web::resource("/v1/models").route(web::get().to(models::list)))
        // Names of models may have slashes.
        .service(web::resource("/v1/models/{model:.+}").route(web::get().to(models::get)));
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps inference",
        description = "Language models and embeddings on one's own machine, behind OpenAI's protocol.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(chat_completions::create, completions::create, embeddings::create, models::list, models::get),
    components(schemas(dto::ChatCompletionChunk)),
    modifiers(&ApiKey)
)]
pub struct Api;

/// Declares the key that an installation may ask for.
struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The value of `BRAINOPS_INFERENCE_API_KEY`. Without one set, anything is accepted."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
        document.security.get_or_insert_default().push(SecurityRequirement::new::<_, [&str; 0], &str>("api_key", []));
    }
}
