//! The route table and its OpenAPI document, nothing else.

mod answer;
mod asked;
mod chat;
mod chat_completions;
mod embeddings;
mod messages;
mod openai_models;
mod responses;

use actix_web::web::{self, ServiceConfig};
use kit::openapi::Bearer;
use utoipa::OpenApi;

/// Conversations carry pictures and documents.
const MODEL_BODY: usize = 20 << 20;

/// Routes with another limit than the usual one, in bytes.
pub const BODY_LIMITS: &[(&str, usize)] = &[
    ("/v1/chat/completions", MODEL_BODY),
    ("/v1/responses", MODEL_BODY),
    ("/v1/messages", MODEL_BODY),
    ("/v1/messages/count_tokens", MODEL_BODY),
    ("/v1/embeddings", MODEL_BODY),
];

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/v1/chat/completions").route(web::post().to(chat_completions::create)))
        .service(web::resource("/v1/responses").route(web::post().to(responses::create)))
        .service(web::resource("/v1/messages").route(web::post().to(messages::create)))
        .service(web::resource("/v1/messages/count_tokens").route(web::post().to(messages::count_tokens)))
        .service(web::resource("/v1/embeddings").route(web::post().to(embeddings::create)))
        .service(web::resource("/v1/models").route(web::get().to(openai_models::list)))
        .service(web::resource("/v1/models/{model:.+}").route(web::get().to(openai_models::get)));
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
        openai_models::get
    ),
    modifiers(&Bearer)
)]
pub struct Api;
