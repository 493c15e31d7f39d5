#![doc = include_str!("../README.md")]

mod api;
mod app;
mod config;
mod domain;
mod embedding;
mod error;
mod llama;
mod metrics;
mod state;

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;
use kit::{Boot, ErrorCode, HealthCheck, HttpOptions, Running, Service, Task, http::codes};
use utoipa::OpenApi as _;

use crate::{config::Config, embedding::EmbeddingModel, llama::ChatModel, state::AppState};

/// Until the head of an answer: a whole completion on a busy machine takes its time, a queue's worth of them more.
const ANSWER_LIMIT: Duration = Duration::from_mins(10);

/// The inference service: a language model and an embedding model on this machine.
pub struct Inference;

impl Service for Inference {
    const NAME: &'static str = "inference";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        let mut checks: Vec<Arc<dyn HealthCheck>> = Vec::new();
        let mut tasks: Vec<Task> = Vec::new();
        let (chat, task) = config.chat.map(ChatModel::open).transpose()?.unzip();
        tasks.extend(task);
        checks.extend(chat.clone().map(|model| Arc::new(model) as Arc<dyn HealthCheck>));
        let (embedding, task) = config.embedding.map(EmbeddingModel::open).transpose()?.unzip();
        tasks.extend(task);
        checks.extend(embedding.clone().map(|model| Arc::new(model) as Arc<dyn HealthCheck>));
        let data = Data::new(AppState { chat, embedding, api_key: config.api_key, clock: core.clock, ids: core.ids });
        Ok(Running {
            checks,
            tasks,
            http: HttpOptions {
                handler_timeout: Some(ANSWER_LIMIT),
                body_limits: api::body_limits(),
                ..HttpOptions::default()
            },
            ..Running::new(move |routes| {
                routes.app_data(data.clone());
                api::routes(routes);
            })
        })
    }

    async fn migrate(_config: Config) -> anyhow::Result<()> {
        Ok(())
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        api::Api::openapi()
    }

    fn error_codes() -> Vec<ErrorCode> {
        [codes::ALL, error::CODES].into_iter().flatten().map(|code| **code).collect()
    }
}
