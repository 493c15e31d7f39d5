#![doc = include_str!("../README.md")]

mod api;
mod app;
mod clients;
mod config;
mod domain;
mod error;
mod events;
mod state;
mod store;

use std::sync::Arc;

use ::events::{Broker, Relay, revocations};
use actix_web::web::Data;
use db::{
    Db,
    diesel_migrations::{EmbeddedMigrations, embed_migrations},
};
use kit::{Boot, ErrorCode, Running, Service, auth::PERSON_CODES, http::codes};
use utoipa::OpenApi as _;

use crate::{clients::auth::AuthDirectory, config::Config, state::AppState};

/// The schema's history.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The queue for what auth publishes.
pub use events::AUTH_QUEUE;

/// The users service: people as others see them, and the organizations they belong to.
pub struct Users;

impl Service for Users {
    const NAME: &'static str = "users";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        let db = Db::open(&config.db, Self::NAME, &core)?;
        let broker = Broker::open(&config.events, &core)?;
        let verifier = config.identity.verifier(&core)?;
        let auth = config.identity.auth_client();
        let state = AppState {
            db: db.clone(),
            clock: core.clock.clone(),
            ids: core.ids.clone(),
            directory: Arc::new(AuthDirectory::new(auth.clone())),
        };
        let tasks = vec![
            Relay::new(&db, &broker).task(),
            events::auth(&state, &broker).task(),
            db.upkeep(),
            revocations(&broker, Arc::clone(&verifier), auth, config.identity.credentials(&core)?),
        ];
        let data = Data::new(state);
        Ok(Running {
            verifier: Some(verifier),
            checks: vec![Arc::new(db), Arc::new(broker)],
            tasks,
            ..Running::new(move |routes| {
                routes.app_data(data.clone());
                api::routes(routes);
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
        [codes::ALL, PERSON_CODES, db::CODES, error::CODES].into_iter().flatten().map(|code| **code).collect()
    }
}
