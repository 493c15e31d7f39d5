//! Every service of the system in one table: a new one is a row here.

use db::diesel_migrations::EmbeddedMigrations;
use futures_util::future::BoxFuture;
use gateway::domain::service::Service as Upstream;
use kit::{Env, Ports, Service, Settings as _, Started, config::Variable};
use utoipa::openapi::OpenApi;

use Need::{AuthClients, ClientSecret, LocalModels, LocalModelsKey, MasterKeys, TokenPepper, UsageSpool, Vectors};

/// What the program must know of a service.
pub struct Part {
    pub name: &'static str,
    /// The history of its schema; `None` for a service without one.
    pub migrations: Option<fn() -> EmbeddedMigrations>,
    /// How the gateway names it; `None` for what is not reached through the gateway.
    pub route: Option<Upstream>,
    pub openapi: fn() -> OpenApi,
    pub variables: fn() -> Vec<Variable>,
    /// What an installation gives it beside what all get.
    pub needs: &'static [Need],
    /// Reads its configuration and notes in the environment what is wrong.
    pub read: fn(&mut Env),
    pub migrate: fn(Env) -> BoxFuture<'static, anyhow::Result<()>>,
    pub start: fn(Env) -> BoxFuture<'static, anyhow::Result<Started>>,
}

/// What only some services are given by an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Calls auth with a secret of its own
    ClientSecret,
    /// The secrets of all that call auth
    AuthClients,
    TokenPepper,
    MasterKeys,
    /// A directory for usage that the database has not taken yet
    UsageSpool,
    /// A directory for the index of vectors
    Vectors,
    /// The files of the local models
    LocalModels,
    /// The key that the bundled inference asks for
    LocalModelsKey,
}

/// In the order in which they start: auth first, everybody needs its keys; the gateway last, it needs everybody's address.
pub const SERVICES: &[Part] = &[
    stateful::<auth::Auth>(|| auth::MIGRATIONS, Upstream::Auth).with(&[AuthClients, TokenPepper, MasterKeys]),
    stateful::<users::Users>(|| users::MIGRATIONS, Upstream::Users).with(&[ClientSecret]),
    stateless::<inference::Inference>().with(&[LocalModels, LocalModelsKey]),
    stateful::<ai::Ai>(|| ai::MIGRATIONS, Upstream::Ai).with(&[ClientSecret, MasterKeys, UsageSpool, LocalModelsKey]),
    stateful::<memory::Memory>(|| memory::MIGRATIONS, Upstream::Memory).with(&[ClientSecret, Vectors, LocalModelsKey]),
    stateless::<gateway::Gateway>().with(&[ClientSecret]),
];

/// The services that own a schema.
pub fn stateful_services() -> impl Iterator<Item = &'static Part> {
    SERVICES.iter().filter(|part| part.migrations.is_some())
}

impl Part {
    const fn with(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }
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
        needs: &[],
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
