#![doc = include_str!("../README.md")]

pub mod api;
pub mod app;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod hashing;
mod jobs;
mod key_uses;
mod metrics;
pub mod pepper;
pub mod signing;
pub mod state;
pub mod store;

use std::sync::Arc;

use ::events::{Broker, Relay};
use actix_web::web::Data;
use db::Db;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kit::{
    Boot, Core, ErrorCode, HealthCheck, Running,
    auth::{JwksSource, PERSON_CODES},
    http::codes,
};
use utoipa::OpenApi as _;

use crate::{config::Config, hashing::Hashing, pepper::Pepper, signing::Signing, state::AppState};

/// The schema's history.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The auth service: who people are, and what signs for it.
pub struct Auth;

impl kit::Service for Auth {
    const NAME: &'static str = "auth";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        metrics::announce();
        let broker = Broker::open(&config.broker, &core)?;
        let state = state(config, &core)?;
        // A database that is down does not stop the start; the job goes on trying, and readiness says so.
        if let Err(error) = app::rotate_keys::rotate_keys(&state).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "The signing keys cannot be loaded yet");
        }
        let checks: Vec<Arc<dyn HealthCheck>> =
            vec![Arc::new(state.db.clone()), Arc::new(broker.clone()), Arc::clone(&state.signing) as _];
        let tasks = vec![
            Relay::new(&state.db, &broker).task(),
            events::users(&state, &broker),
            events::revocations(&state, &broker),
            jobs::keys(&state),
            jobs::sweep(&state),
            jobs::key_uses(&state),
            state.db.upkeep(),
        ];
        let (verifier, data) = (Arc::clone(&state.verifier), Data::new(state));
        let routes = move |config: &mut actix_web::web::ServiceConfig| {
            config.app_data(data.clone());
            api::routes(config);
        };
        Ok(Running { verifier: Some(verifier), checks, tasks, ..Running::new(routes) })
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

fn state(config: Config, core: &Core) -> anyhow::Result<AppState> {
    let signing = Arc::new(Signing::new(Arc::clone(&core.clock), config.master_keys.clone()));
    let hashing = Hashing::new(config.hashing.concurrency, config.hashing.max_wait, &*core.ids)?;
    Ok(AppState {
        db: Db::open(&config.db, <Auth as kit::Service>::NAME, core)?,
        clock: Arc::clone(&core.clock),
        ids: Arc::clone(&core.ids),
        hashing,
        verifier: config.identity.verifier_with(core, JwksSource::Local(Arc::clone(&signing) as _))?,
        signing,
        key_uses: Arc::default(),
        keyring: config.master_keys.clone(),
        pepper: Pepper::new(&config.pepper),
        config: Arc::new(config),
    })
}
