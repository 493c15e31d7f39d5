#![doc = include_str!("../README.md")]

mod api;
mod app;
mod clients;
mod config;
pub mod documents;
pub mod domain;
mod error;
mod events;
mod extraction;
mod extractor;
mod jobs;
mod lexicons;
mod mcp;
mod metrics;
mod rebuild;
pub mod recall;
mod state;
mod store;
mod summaries;
pub mod vectors;

use std::sync::Arc;

use ::events::{Broker, Relay, revocations};
use actix_web::web::Data;
use db::{
    Db,
    diesel_migrations::{EmbeddedMigrations, embed_migrations},
};
use kit::{Boot, ErrorCode, HttpOptions, InternalClient, Running, Service, http::codes};
use moka::sync::Cache;
use utoipa::OpenApi as _;

pub use extractor::{Extractor, extract_if_asked};
pub use rebuild::Rebuilds;

use crate::{
    clients::{ai::AiClient, embeddings::Embeddings, language_model::LanguageModel, reranker::Reranker},
    config::Config,
    lexicons::Lexicons,
    state::{AppState, Embedding, Language, Reranking, Signals},
    vectors::{EdgeIndex, QdrantIndex, VectorIndex},
};

/// The schema's history.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Vectors of questions that are kept.
const QUESTIONS: u64 = 10_000;

/// Documents that are read at a time.
const READERS: usize = 2;

/// Sessions that facts are taken from at a time.
const EXTRACTORS: usize = 2;

/// The memory service.
pub struct Memory;

impl Service for Memory {
    const NAME: &'static str = "memory";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        let db = Db::open(&config.db, Self::NAME, &core)?;
        let broker = Broker::open(&config.events, &core)?;
        let verifier = config.identity.verifier(&core)?;
        let auth = config.identity.auth_client();
        let vectors: Arc<dyn VectorIndex> = match config.vectors.qdrant.clone() {
            Some(server) => Arc::new(QdrantIndex::new(&server.into())?),
            None => Arc::new(EdgeIndex::new(config.vectors.edge())),
        };
        let embedding = config.embedding.map(|settings| Embedding {
            client: Embeddings::new(settings.server),
            model: settings.model,
            question_deadline: settings.question_deadline,
            questions: Cache::new(QUESTIONS),
            outdated: Arc::default(),
        });
        let language = config.language.map(|settings| Language {
            client: LanguageModel::new(settings.server),
            model: settings.model,
            tokens_per_day: settings.tokens_per_day,
        });
        let state = AppState {
            db: db.clone(),
            clock: core.clock.clone(),
            ids: core.ids.clone(),
            lexicons: Lexicons::new(&db),
            vectors,
            embedding: embedding.clone(),
            language: language.clone(),
            reranking: config
                .reranking
                .map(|settings| Reranking { client: Reranker::new(settings.server), model: settings.model }),
            signals: Arc::new(Signals::default()),
        };
        let credentials = config.identity.credentials(&core)?;
        let mut tasks = vec![
            Relay::new(&db, &broker).task(),
            db.upkeep(),
            jobs::purge::purge(&state),
            revocations(&broker, Arc::clone(&verifier), auth, Arc::clone(&credentials)),
            events::users(&state, &broker),
        ];
        if let Some(url) = config.ai {
            let ai = AiClient::new(InternalClient::new("ai", url), credentials);
            tasks.push(events::ai(&state, &broker, ai));
        }
        let extractor = Extractor::new(config.extractor)?;
        tasks.extend((0..READERS).map(|_| jobs::documents::documents(&state, extractor.clone())));
        if let Some(embedding) = embedding {
            tasks.push(jobs::embed::embed(&state, embedding.clone()));
            tasks.push(jobs::index::index(&state, embedding, config.vectors));
        }
        if let Some(language) = language {
            tasks.extend((0..EXTRACTORS).map(|_| jobs::extract::extract(&state, language.clone())));
        }
        let endpoint = Data::new(mcp::endpoint(state.clone()));
        let data = Data::new(state);
        Ok(Running {
            verifier: Some(verifier),
            checks: vec![Arc::new(db), Arc::new(broker)],
            tasks,
            http: HttpOptions { body_limits: api::body_limits(), ..HttpOptions::default() },
            ..Running::new(move |routes| {
                routes.app_data(data.clone());
                api::routes(routes);
                mcp::routes(routes, &endpoint);
            })
        })
    }

    async fn migrate(config: Config) -> anyhow::Result<()> {
        Ok(db::migrate(config.migrate.url()?, Self::NAME, MIGRATIONS).await?)
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        api::Api::openapi()
    }

    fn error_codes() -> Vec<ErrorCode> {
        [codes::ALL, db::CODES, error::CODES].into_iter().flatten().map(|code| **code).collect()
    }
}
