//! What a service is to the process that runs it: configuration in, routes, checks and tasks out.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use actix_web::web;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::clock::{Clock, SystemClock};
use crate::config::{Environment, Settings};
use crate::http::{ErrorCode, HttpOptions};
use crate::ids::{Ids, RandomIds};
use crate::lifecycle::Lifecycle;
use crate::outbound::Outbound;

/// One service: a library that [`kit::main`](crate::main) turns into a process, and that the standalone binary and the
/// tests run beside others in one process.
pub trait Service: Sized + Send + Sync + 'static {
    /// Its name in lower case, as in its schema, its metrics and its events: `auth`.
    const NAME: &'static str;

    /// What it reads from the environment.
    type Config: Settings;

    /// Makes state, checks and tasks. Nothing listens yet; a dependency that is down must not fail the start, it shows
    /// in `/readyz` until it is back.
    fn start(boot: Boot<Self::Config>) -> impl Future<Output = anyhow::Result<Running>> + Send;

    /// Brings the schema up, as the owner role. A service without a database does nothing.
    fn migrate(config: Self::Config) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// The description of its HTTP API.
    fn openapi() -> utoipa::openapi::OpenApi;

    /// Every code its problems can carry, for `docs/errors` and the snapshot test.
    fn error_codes() -> Vec<ErrorCode>;
}

/// What a service is given to start with.
pub struct Boot<C> {
    /// Its own configuration, already found to be right.
    pub config: C,
    /// What the process gives to every service.
    pub core: Core,
}

/// What the process gives to every service. Cheap to clone.
#[derive(Clone)]
pub struct Core {
    /// [`Service::NAME`].
    pub service: &'static str,
    /// Development or production.
    pub environment: Environment,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub ids: Arc<dyn Ids>,
    /// Calls to URLs that users give. Calls between services go through
    /// [`InternalClient`](crate::outbound::InternalClient).
    pub http: Outbound,
    /// Cancelled when the service begins to leave: long streams end and long work stops taking on more.
    pub shutdown: CancellationToken,
    /// Where the service is in its life.
    pub lifecycle: Lifecycle,
}

impl Core {
    /// For what is no service but uses its building blocks: tools and tests.
    pub fn outside(name: &'static str) -> Self {
        let Ports { clock, ids, http } = Ports::real();
        Self {
            service: name,
            environment: Environment::Development,
            clock,
            ids,
            http,
            shutdown: CancellationToken::new(),
            lifecycle: Lifecycle::default(),
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("service", &self.service)
            .field("environment", &self.environment)
            .field("phase", &self.lifecycle.phase())
            .finish_non_exhaustive()
    }
}

/// The ports of the process: what tests replace, and nothing else.
#[derive(Clone)]
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub ids: Arc<dyn Ids>,
    /// Calls to URLs that users give.
    pub http: Outbound,
}

impl Ports {
    /// The real ones.
    pub fn real() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(RandomIds), http: Outbound::default() }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same with another source of ids and randomness.
    #[must_use]
    pub fn with_ids(self, ids: Arc<dyn Ids>) -> Self {
        Self { ids, ..self }
    }
}

/// Adds a service's routes and its state to an actix application; called once a worker thread.
pub type Routes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// What a started service consists of.
pub struct Running {
    /// Its routes.
    pub routes: Routes,
    /// Verifies callers' tokens; the extractors of [`crate::auth`] find it here. `None` for a service without callers.
    pub verifier: Option<Arc<Verifier>>,
    /// What `/readyz` asks.
    pub checks: Vec<Arc<dyn HealthCheck>>,
    /// What runs beside the requests.
    pub tasks: Vec<Task>,
    /// Limits and other deviations from the defaults.
    pub http: HttpOptions,
}

impl Running {
    /// A service with `routes` and nothing else; add the rest with `..`.
    pub fn new(routes: impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static) -> Self {
        Self {
            routes: Arc::new(routes),
            verifier: None,
            checks: Vec::new(),
            tasks: Vec::new(),
            http: HttpOptions::default(),
        }
    }
}

type Run = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send>;

/// Work beside the requests: a relay, a consumer, a sweep.
///
/// It runs until its token is cancelled, which happens after the last request was answered. Trying again after a failure
/// is the task's own matter; an `Err` or a panic ends the process.
pub struct Task {
    /// Names it in logs: `users.consumer`.
    pub name: &'static str,
    /// The work.
    pub run: Run,
}

impl Task {
    /// A task from a function that takes the token.
    pub fn new<F, W>(name: &'static str, run: F) -> Self
    where
        F: FnOnce(CancellationToken) -> W + Send + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { name, run: Box::new(move |token| Box::pin(run(token))) }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A dependency, as `/readyz` shows it.
pub trait HealthCheck: Send + Sync + 'static {
    /// Names it in `/readyz`: `database`.
    fn name(&self) -> &str;

    /// Whether the service should get no requests while this dependency is down. Not so for one that only delays what
    /// happens behind the answers, such as the broker, whose events wait in the outbox.
    fn required(&self) -> bool {
        true
    }

    /// Ok when it works at this moment. The text of an error is shown on the private port and must not hold a secret.
    /// The caller limits the time.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}
