//! Migrations: those of this crate and those of the service, in one history inside the service's schema.

use std::time::{Duration, Instant};

use diesel::{
    PgConnection,
    migration::{Migration, MigrationSource},
    pg::Pg,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    Error,
    connection::{self, Limits},
    dedicated::{blocking, lock_key, try_lock},
    roles,
};

const BASE: EmbeddedMigrations = embed_migrations!("migrations");

/// How long to wait for another process that is migrating.
const PATIENCE: Duration = Duration::from_mins(10);

/// Brings `schema` up to date as its owner: what every service has, then `service`. Processes that do it at the same time
/// wait for each other.
///
/// # Errors
/// [`Error::Unavailable`]; [`Error::Migration`] with the migration's name and the cause; [`Error::Setup`].
pub async fn migrate(url: &str, schema: &'static str, service: EmbeddedMigrations) -> Result<(), Error> {
    locked(url, schema, move |conn| {
        for migration in conn.pending_migrations(All(service)).map_err(Error::Migration)? {
            let (name, started) = (migration.name().to_string(), Instant::now());
            conn.run_migration(&*migration).map_err(Error::Migration)?;
            let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(db.namespace = schema, migration = name, duration_ms, "Applied a migration");
        }
        Ok(())
    })
    .await
}

/// The names of migrations that `schema` lacks, in order; for `brainops doctor`. As the owner.
pub async fn pending_migrations(
    url: &str,
    schema: &'static str,
    service: EmbeddedMigrations,
) -> Result<Vec<String>, Error> {
    locked(url, schema, move |conn| {
        let pending = conn.pending_migrations(All(service)).map_err(Error::Migration)?;
        Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
    })
    .await
}

/// Takes every migration back, the service's first. Drops all data; for tests.
pub async fn revert_all(url: &str, schema: &'static str, service: EmbeddedMigrations) -> Result<(), Error> {
    locked(url, schema, move |conn| conn.revert_all_migrations(All(service)).map(drop).map_err(Error::Migration)).await
}

/// Runs `work` as the owner while no other process migrates the schema.
async fn locked<T: Send + 'static>(
    url: &str,
    schema: &'static str,
    work: impl FnOnce(&mut PgConnection) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    roles::check_schema(schema)?;
    let url = kit::Secret::new(url.to_owned());
    blocking(move || {
        let name = format!("brainops-{schema}-migrate");
        let mut conn = connection::establish(url.expose(), &name, schema, &Limits::MIGRATION)?;
        let key = lock_key(schema, "migrate");
        let started = Instant::now();
        // Asking again instead of waiting in Postgres: a session that waits for a lock holds a snapshot, and
        // CREATE INDEX CONCURRENTLY in the migration of the lock's holder would wait for that one.
        while !try_lock(&mut conn, key)? {
            if started.elapsed() > PATIENCE {
                return Err(Error::Setup(format!("another process has been migrating {schema} for ten minutes")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // The lock ends with the connection.
        work(&mut conn)
    })
    .await?
}

/// The base migrations sort before any service's: their versions begin with zeros, a service's with a year.
struct All(EmbeddedMigrations);

impl MigrationSource<Pg> for All {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        let mut all = MigrationSource::<Pg>::migrations(&BASE)?;
        all.extend(MigrationSource::<Pg>::migrations(&self.0)?);
        Ok(all)
    }
}
