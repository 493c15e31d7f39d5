#![doc = include_str!("../README.md")]

pub mod audit;
mod connection;
mod database;
mod dedicated;
mod error;
mod health;
pub mod idempotency;
pub mod inbox;
mod metrics;
mod migrate;
pub mod outbox;
pub mod page;
mod pool;
mod probe;
mod provision;
pub mod roles;
mod rows;
mod schema;
mod scope;
mod settings;
mod signal;
mod transaction;
mod upkeep;

use std::sync::Arc;

pub use database::ensure_database;
pub use dedicated::Dedicated;
pub use diesel;
pub use diesel_migrations;
pub use error::{CODES, Error, error_codes};
pub use migrate::{migrate, pending_migrations, revert_all};
pub use provision::{Passwords, provision};
pub use rows::OfRows;
pub use scope::Scope;
pub use settings::{MigrateSettings, Settings};

use pool::Pool;
use signal::Signal;

/// A service's database: one pool of connections as its app role, and the ways to work on it. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    service: &'static str,
    schema: &'static str,
    url: kit::Secret<String>,
    pool: Pool,
    signal: Arc<Signal>,
    signer: page::Signer,
}

impl Db {
    /// Opens the database of a service. Connecting happens in the background: a Postgres that is down shows in the
    /// health check and in [`Error::Unavailable`], not here.
    ///
    /// # Errors
    /// [`Error::Setup`] when `schema` cannot be the name of a service's schema.
    pub fn open(settings: &Settings, schema: &'static str, core: &kit::Core) -> Result<Self, Error> {
        roles::check_schema(schema)?;
        let secret = settings.cursor_secret.as_ref().unwrap_or(&settings.url);
        Ok(Self {
            inner: Arc::new(Inner {
                service: core.service,
                schema,
                url: settings.url.clone(),
                pool: Pool::new(settings, schema, core.service),
                signal: Arc::new(Signal::default()),
                signer: page::Signer::new(secret.expose().as_bytes()),
            }),
        })
    }

    /// Signs the cursors of this service's lists.
    pub fn signer(&self) -> &page::Signer {
        &self.inner.signer
    }

    /// The service's schema.
    pub fn schema(&self) -> &'static str {
        self.inner.schema
    }

    /// The name of the service, as metrics carry it.
    pub fn service(&self) -> &'static str {
        self.inner.service
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("service", &self.inner.service)
            .field("schema", &self.inner.schema)
            .finish_non_exhaustive()
    }
}
