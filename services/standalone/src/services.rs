//! Every service of the system in one table: a new one is a row here.

use db::diesel_migrations::EmbeddedMigrations;
use futures_util::future::BoxFuture;
use gateway::domain::service::Service as Upstream;
use kit::{Env, Ports, Service, Settings as _, Started, config::Variable};
use utoipa::openapi::OpenApi;

/// What the program must know of a service.
pub struct Part {
    pub name: &'static str,
    /// The history of its schema; `None` for a service without one.
    pub migrations: Option<fn() -> EmbeddedMigrations>,
    /// How the gateway names it; `None` for what is not reached through the gateway.
    pub route: Option<Upstream>,
    pub openapi: fn() -> OpenApi,
    pub variables: fn() -> Vec<Variable>,
    /// Reads its configuration and notes in the environment what is wrong.
    pub read: fn(&mut Env),
    pub migrate: fn(Env) -> BoxFuture<'static, anyhow::Result<()>>,
    pub start: fn(Env) -> BoxFuture<'static, anyhow::Result<Started>>,
}

/// In the order in which they start: auth first, everybody needs its keys; the gateway last, it needs everybody's address.
pub const SERVICES: &[Part] = &[
    stateful::<auth::Auth>(|| auth::MIGRATIONS, Upstream::Auth),
    stateful::<users::Users>(|| users::MIGRATIONS, Upstream::Users),
    stateless::<inference::Inference>(),
    stateful::<ai::Ai>(|| ai::MIGRATIONS, Upstream::Ai),
    stateless::<gateway::Gateway>(),
];

/// The services that own a schema.
pub fn stateful_services() -> impl Iterator<Item = &'static Part> {
    SERVICES.iter().filter(|part| part.migrations.is_some())
}

const fn stateful<S: Service>(migrations: fn() -> EmbeddedMigrations, route: Upstream) -> Part {
    Part { migrations: Some(migrations), route: Some(route), ..stateless::<S>() }
}

const fn stateless<S: Service>() -> Part {
    Part {
        name: S::NAME,
        migrations: None,
        route: None,
        openapi: S::openapi,
        variables: kit::config::describe::<S>,
        read: read::<S>,
        migrate: |env| Box::pin(migrate::<S>(env)),
        start: |env| Box::pin(kit::start::<S>(env, Ports::real())),
    }
}

fn read<S: Service>(env: &mut Env) {
    S::Config::read(env);
}

async fn migrate<S: Service>(mut env: Env) -> anyhow::Result<()> {
    let config = S::Config::read(&mut env);
    env.finish()?;
    S::migrate(config).await
}
