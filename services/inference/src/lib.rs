#![doc = include_str!("../README.md")]

use kit::{Boot, Env, ErrorCode, Running, Service, Settings};

/// The service.
pub struct Inference;

/// Nothing yet.
pub struct Config;
impl Settings for Config {
    fn read(_: &mut Env) -> Self {
        Self
    }
}

impl Service for Inference {
    const NAME: &'static str = "inference";
    type Config = Config;
    async fn start(_boot: Boot<Config>) -> anyhow::Result<Running> {
        Ok(Running::new(|_| {}))
    }
    async fn migrate(_config: Config) -> anyhow::Result<()> {
        Ok(())
    }
    fn openapi() -> utoipa::openapi::OpenApi {
        utoipa::openapi::OpenApi::default()
    }
    fn error_codes() -> Vec<ErrorCode> {
        Vec::new()
    }
}
