//! The only place that reads the environment.

use kit::{Env, Settings, config::IdentitySettings};

#[derive(Debug)]
pub struct Config {
    pub db: db::Settings,
    pub migrate: db::MigrateSettings,
    pub events: events::Settings,
    pub identity: IdentitySettings,
}

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        Self {
            db: Settings::read(env),
            migrate: Settings::read(env),
            events: Settings::read(env),
            identity: Settings::read(env),
        }
    }
}
