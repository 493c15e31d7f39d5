//! The route table and its OpenAPI document, nothing else.

mod answer;
mod asked;
mod chat;
mod chat_completions;
mod dto;
mod embeddings;
mod internal;
mod messages;
mod models;
mod openai_models;
mod providers;
mod quotas;
mod responses;
mod usage;

use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use kit::{
    http::BodyLimit,
    openapi::{Bearer, ServiceToken},
};
use utoipa::OpenApi;

/// Largest body of the routes that take conversations, which carry pictures and documents; in bytes.
const CONVERSATION: usize = 20 << 20;

/// Until such a body must be there: 20 MiB in two minutes is a slow line.
const CONVERSATION_TIME: Duration = Duration::from_mins(2);

/// Routes that take other bodies than the rest.
pub fn body_limits() -> Vec<BodyLimit> {
    let routes =
        ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings"];
    let limit =
        |route: &'static str| BodyLimit { route: route.into(), bytes: CONVERSATION, timeout: CONVERSATION_TIME };
    routes.map(limit).into()
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/v1/chat/completions").route(web::post().to(chat_completions::create)))
        .service(web::resource("/v1/responses").route(web::post().to(responses::create)))
        .service(web::resource("/v1/messages").route(web::post().to(messages::create)))
        .service(web::resource("/v1/messages/count_tokens").route(web::post().to(messages::count_tokens)))
        .service(web::resource("/v1/embeddings").route(web::post().to(embeddings::create)))
        .service(web::resource("/v1/models").route(web::get().to(openai_models::list)))
        .service(web::resource("/v1/models/{model:.+}").route(web::get().to(openai_models::get)))
        .service(
            web::resource("/v1/ai/models").route(web::get().to(models::list)).route(web::post().to(models::create)),
        )
        .service(
            web::resource("/v1/ai/models/{id}")
                .route(web::get().to(models::get))
                .route(web::patch().to(models::update))
                .route(web::delete().to(models::delete)),
        )
        .service(
            web::resource("/v1/ai/providers")
                .route(web::get().to(providers::list))
                .route(web::post().to(providers::create)),
        )
        .service(
            web::resource("/v1/ai/providers/{id}")
                .route(web::get().to(providers::get))
                .route(web::patch().to(providers::update))
                .route(web::delete().to(providers::delete)),
        )
        .service(web::resource("/v1/ai/providers/{id}/test").route(web::post().to(providers::test)))
        .service(
            web::resource("/v1/ai/quotas").route(web::get().to(quotas::list)).route(web::post().to(quotas::create)),
        )
        .service(
            web::resource("/v1/ai/quotas/{id}")
                .route(web::get().to(quotas::get))
                .route(web::patch().to(quotas::update))
                .route(web::delete().to(quotas::delete)),
        )
        .service(web::resource("/v1/ai/quotas/{id}/subjects").route(web::get().to(quotas::subjects)))
        .service(web::resource("/v1/ai/usage").route(web::get().to(usage::get)))
        .service(web::resource("/v1/ai/usage/records").route(web::get().to(usage::records)))
        .service(web::resource("/v1/ai/usage/forecast").route(web::get().to(usage::forecast)))
        .service(
            web::resource("/internal/organizations/{organization}/completions/{id}/turn")
                .route(web::get().to(internal::get_turn))
                .route(web::delete().to(internal::delete_turn)),
        );
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BrainOps ai",
        description = "Language models under quotas, in the protocols of OpenAI and Anthropic.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        chat_completions::create,
        responses::create,
        messages::create,
        messages::count_tokens,
        embeddings::create,
        openai_models::list,
        openai_models::get,
        models::list,
        models::create,
        models::get,
        models::update,
        models::delete,
        providers::list,
        providers::create,
        providers::get,
        providers::update,
        providers::delete,
        providers::test,
        quotas::list,
        quotas::create,
        quotas::get,
        quotas::update,
        quotas::delete,
        quotas::subjects,
        usage::get,
        usage::records,
        usage::forecast,
        internal::get_turn,
        internal::delete_turn
    ),
    modifiers(&Bearer, &ServiceToken)
)]
pub struct Api;
