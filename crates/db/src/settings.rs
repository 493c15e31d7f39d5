//! What the database needs from the environment.

use std::num::NonZeroUsize;

use kit::{Env, Secret};

use crate::Error;

/// Where the database is and how much of it a process may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connection string (URI or keyword form of libpq) of the service's app role.
    pub url: Secret<String>,
    /// Connections of the pool, which is also the number of transactions at a time.
    pub pool: NonZeroUsize,
    /// What page cursors are signed with; the connection string when absent.
    pub cursor_secret: Option<Secret<String>>,
}

impl Settings {
    /// A pool of `pool` connections to `url`; for tests and tools.
    pub fn new(url: impl Into<String>, pool: NonZeroUsize) -> Self {
        Self { url: Secret::new(url.into()), pool, cursor_secret: None }
    }
}

impl kit::Settings for Settings {
    fn read(env: &mut Env) -> Self {
        let settings = Self {
            url: env.secret(
                "BRAINOPS_DATABASE_URL",
                "Postgres as the service's app role: `postgres://brainops_auth_app:…@host:5432/brainops`.",
            ),
            pool: env.or(
                "BRAINOPS_DATABASE_POOL",
                "Connections of one replica to Postgres, and so the number of its transactions at a time.",
                "8",
            ),
            cursor_secret: env.optional_secret(
                "BRAINOPS_CURSOR_SECRET",
                "What page cursors are signed with, the same in every replica. Without it the database URL is used.",
            ),
        };
        if settings.pool.get() > MOST_CONNECTIONS {
            env.refuse("BRAINOPS_DATABASE_POOL", settings.pool.to_string(), format!("1 to {MOST_CONNECTIONS}"));
        }
        settings
    }
}

/// A pool past this is a mistake: Postgres does better with a queue in front of it.
const MOST_CONNECTIONS: usize = 200;

/// What `migrate` needs beyond [`Settings`]: the owner role, which a serving process has no business with.
#[derive(Clone, Debug)]
pub struct MigrateSettings {
    url: Option<Secret<String>>,
}

impl MigrateSettings {
    /// The connection string of the service's owner role.
    ///
    /// # Errors
    /// [`Error::Setup`] when it is not set.
    pub fn url(&self) -> Result<&str, Error> {
        let missing = || Error::Setup("BRAINOPS_MIGRATE_DATABASE_URL is not set".to_owned());
        Ok(self.url.as_ref().ok_or_else(missing)?.expose())
    }
}

impl kit::Settings for MigrateSettings {
    fn read(env: &mut Env) -> Self {
        let url = env.optional_secret(
            "BRAINOPS_MIGRATE_DATABASE_URL",
            "Postgres as the service's owner role; only `migrate` uses it: `postgres://brainops_auth_owner:…@host:5432/brainops`.",
        );
        Self { url }
    }
}
