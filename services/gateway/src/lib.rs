#![doc = include_str!("../README.md")]

pub mod api;
pub mod app;
mod clients;
pub mod config;
pub mod domain;
pub mod error;
mod jobs;
mod keys;
mod limits;
mod proxy;
mod state;
mod upstream;

use std::sync::Arc;

use kit::{Boot, ErrorCode, HealthCheck, Running};

use crate::clients::auth::AuthClient;
use crate::config::Config;
use crate::keys::ApiKeys;
use crate::state::State;

/// The gateway: who calls, and where the call goes.
pub struct Gateway;

impl kit::Service for Gateway {
    const NAME: &'static str = "gateway";
    type Config = Config;

    async fn start(boot: Boot<Config>) -> anyhow::Result<Running> {
        let Boot { config, core } = boot;
        let verifier = config.identity.verifier(&core)?;
        let credentials = config.identity.credentials(&core)?;
        let auth = AuthClient::new(config.identity.auth_client(), Arc::clone(&credentials));
        let keys = ApiKeys::new(auth, Arc::clone(&verifier), &core);
        let state = State::new(&config, serde_json::to_value(api::openapi())?, Arc::clone(&keys))?;
        // Addresses are known from the first request on; whether somebody is there shows soon enough.
        state.resolve().await;

        let mut tasks = jobs::all(&state, &verifier, config.health_interval);
        if let Some(settings) = &config.events {
            let broker = events::Broker::open(settings, &core)?;
            let auth = config.identity.auth_client();
            tasks.push(events::revocations(&broker, Arc::clone(&verifier), auth, credentials));
            tasks.push(keys.changed().listen(&broker));
        }
        let mut checks: Vec<Arc<dyn HealthCheck>> = vec![Arc::clone(&verifier) as Arc<dyn HealthCheck>];
        checks.extend(state.upstreams().map(|upstream| Arc::clone(upstream) as Arc<dyn HealthCheck>));
        Ok(Running {
            verifier: Some(verifier),
            checks,
            tasks,
            http: config.http_options(),
            ..Running::new(api::routes(state, Arc::clone(&core.ids)))
        })
    }

    /// Owns no data.
    async fn migrate(_config: Config) -> anyhow::Result<()> {
        Ok(())
    }

    fn openapi() -> utoipa::openapi::OpenApi {
        api::openapi()
    }

    fn error_codes() -> Vec<ErrorCode> {
        error::CODES.iter().copied().copied().collect()
    }
}
