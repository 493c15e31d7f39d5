#![doc = include_str!("../README.md")]

mod api;
mod app;
mod config;
mod domain;
mod error;
mod state;
mod store;

use std::sync::Arc;

use actix_web::web::Data;
use db::{
    Db,
    diesel_migrations::{EmbeddedMigrations, embed_migrations},
};
use events::{Broker, Relay, revocations};
use kit::{Boot, ErrorCode, Running, Service};
use utoipa::OpenApi as _;

use crate::{config::Config, state::AppState};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The service.
pub struct Specimen;

impl Service for Specimen {
    const NAME: &'static str = "specimen";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        let db = Db::open(&config.db, Self::NAME, &core)?;
        let broker = Broker::open(&config.events, &core)?;
        let verifier = config.identity.verifier(&core)?;
        let tasks = vec![
            Relay::new(&db, &broker).task(),
            revocations(
                &broker,
                Arc::clone(&verifier),
                config.identity.auth_client(),
                config.identity.credentials(&core)?,
            ),
        ];
        let data = Data::new(AppState { db: db.clone(), clock: core.clock.clone(), ids: core.ids.clone() });
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
        let own = error::CODES.iter().map(|code| **code);
        own.chain(db::error_codes()).chain(kit::http::codes::ALL.iter().map(|code| **code)).collect()
    }
}
