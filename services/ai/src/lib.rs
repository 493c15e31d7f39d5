#![doc = include_str!("../README.md")]

mod answers;
mod api;
mod app;
mod catalog;
mod clients;
mod config;
pub mod domain;
mod error;
mod events;
mod jobs;
pub mod ledger;
mod metrics;
mod protocol;
mod routing;
mod state;
mod store;
pub mod teams;

use std::sync::Arc;

use ::events::{Broker, Relay, revocations};
use actix_web::web::Data;
use db::{
    Db,
    diesel_migrations::{EmbeddedMigrations, embed_migrations},
};
use kit::{Boot, ErrorCode, HttpOptions, InternalClient, Running, Service, http::codes};
use utoipa::OpenApi as _;

use crate::{
    catalog::{Catalog, Installation},
    clients::{Providers, memory::Memory},
    config::Config,
    ledger::Ledger,
    state::{AppState, Calls},
    teams::TeamBook,
};

/// The schema's history.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

pub use config::{BuiltIn, configured_providers};
/// The queue for what the users service publishes.
pub use events::USERS_QUEUE;

/// The ai service: the model gateway of an organization.
pub struct Ai;

impl Service for Ai {
    const NAME: &'static str = "ai";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        let db = Db::open(&config.db, Self::NAME, &core)?;
        let broker = Broker::open(&config.events, &core)?;
        let verifier = config.identity.verifier(&core)?;
        let auth = config.identity.auth_client();
        let providers = Providers::new(core.http.clone());
        let teams = TeamBook::new(&db);
        let installation = Arc::new(Installation::new(config.built_in));
        let catalog = Catalog::new(
            db.clone(),
            config.master_keys.clone(),
            installation,
            providers.clone(),
            teams.clone(),
            config.catalog_fresh,
        );
        let ledger = Ledger::open(&db, &teams, core.clock.clone(), core.ids.clone(), config.ledger);
        let state = AppState {
            db: db.clone(),
            clock: core.clock.clone(),
            ids: core.ids.clone(),
            keyring: config.master_keys,
            operator: config.operator,
            providers,
            http: core.http.clone(),
            catalog: catalog.clone(),
            ledger: ledger.clone(),
            teams: teams.clone(),
            calls: Calls::new(&config.calls, &core),
            memory: config.memory.map(|memory| Memory::new(InternalClient::new("memory", memory.url), memory.deadline)),
        };
        let tasks = vec![
            catalog.task(),
            events::models(&catalog, &broker),
            jobs::reseal(&state, config.reseal_interval),
            jobs::turns(&state),
            Relay::new(&db, &broker).task(),
            db.upkeep(),
            ledger.task(),
            events::users(&state, &broker),
            revocations(&broker, Arc::clone(&verifier), auth, config.identity.credentials(&core)?),
        ];
        let data = Data::new(state);
        Ok(Running {
            verifier: Some(verifier),
            checks: vec![Arc::new(db), Arc::new(broker)],
            tasks,
            http: HttpOptions {
                body_limits: api::body_limits(),
                // Models take their time; calls have deadlines of their own.
                handler_timeout: None,
                ..HttpOptions::default()
            },
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
        [codes::ALL, db::CODES, error::CODES].into_iter().flatten().map(|code| **code).collect()
    }
}
