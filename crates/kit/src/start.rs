//! Starting and stopping one service inside a process. [`main`](crate::main) does it once; the standalone binary and
//! tests do it as often as they like, each start with ports, tasks and tokens of its own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use anyhow::{Context, anyhow};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::{Env, Environment, HttpSettings, Settings, TelemetrySettings};
use crate::http::{ServerParts, Servers, serve};
use crate::lifecycle::{Lifecycle, Phase};
use crate::service::{Boot, Core, Ports, Service, Task};
use crate::{metrics, tasks, telemetry, tls};

/// How long requests and tasks have to finish once nothing new is accepted.
pub const DRAIN: Duration = Duration::from_secs(30);

/// Connections that may wait to be accepted, enough for a burst at full load.
const BACKLOG: u32 = 2_048;

/// A service that runs. Dropping it without [`stop`](Self::stop) ends it without grace.
pub struct Started {
    /// Where callers reach it; with the real port when 0 was asked for.
    pub addr: SocketAddr,
    /// Where health, metrics and the API description are.
    pub private_addr: SocketAddr,
    service: &'static str,
    lifecycle: Lifecycle,
    shutdown: CancellationToken,
    stop_tasks: CancellationToken,
    public: ServerHandle,
    private: ServerHandle,
    drain_delay: Duration,
    running: Vec<(&'static str, JoinHandle<()>)>,
    failures: mpsc::UnboundedReceiver<anyhow::Error>,
}

/// Starts service `S` from `env` on the current tokio runtime and returns when it serves.
///
/// Fails, with everything that was begun undone, on a wrong configuration (one message for all variables), a port that
/// is taken (the message names address and variable), and when the service itself refuses to start.
pub async fn start<S: Service>(mut env: Env, ports: Ports) -> anyhow::Result<Started> {
    let begun = Instant::now();
    tls::install();
    let environment = Environment::read(&mut env);
    let http = HttpSettings::read(&mut env);
    let telemetry = TelemetrySettings::read(&mut env);
    let config = S::Config::read(&mut env);
    env.finish()?;
    telemetry::init(&telemetry, S::NAME, environment);
    metrics::announce(S::NAME);

    // The ports first: a second instance fails here and not after it made connections.
    let listener = listen(S::NAME, http.addr, HttpSettings::ADDR)?;
    let private_listener = listen(S::NAME, http.private_addr, HttpSettings::PRIVATE_ADDR)?;
    let (addr, private_addr) = (listener.local_addr()?, private_listener.local_addr()?);

    let lifecycle = Lifecycle::default();
    let shutdown = CancellationToken::new();
    // Whatever fails from here on, what has been handed the token ends.
    let undo = shutdown.clone().drop_guard();
    let core = Core {
        service: S::NAME,
        environment,
        clock: ports.clock,
        ids: ports.ids,
        http: ports.http,
        shutdown: shutdown.clone(),
        lifecycle: lifecycle.clone(),
    };
    let running =
        S::start(Boot { config, core: core.clone() }).await.with_context(|| format!("{} could not start", S::NAME))?;
    let servers = serve(ServerParts {
        core,
        listener,
        private_listener,
        workers: http.workers.get(),
        drain: DRAIN,
        routes: running.routes,
        verifier: running.verifier,
        checks: running.checks,
        options: running.http,
        openapi: S::openapi(),
    })
    .with_context(|| format!("{} could not serve", S::NAME))?;

    undo.disarm();
    let started =
        Started::new::<S>(servers, running.tasks, lifecycle, shutdown, http.drain_delay, (addr, private_addr));
    tracing::info!(
        service = S::NAME,
        http.addr = %addr,
        http.private_addr = %private_addr,
        duration_ms = begun.elapsed().as_millis(),
        "The service is ready"
    );
    Ok(started)
}

impl Started {
    fn new<S: Service>(
        servers: Servers,
        tasks: Vec<Task>,
        lifecycle: Lifecycle,
        shutdown: CancellationToken,
        drain_delay: Duration,
        (addr, private_addr): (SocketAddr, SocketAddr),
    ) -> Self {
        let stop_tasks = CancellationToken::new();
        let (report, failures) = mpsc::unbounded_channel();
        let mut running = Vec::with_capacity(tasks.len());
        for task in tasks {
            running.push((task.name, run(S::NAME, task, stop_tasks.clone(), report.clone())));
        }
        let (public, private) = (servers.public.handle(), servers.private.handle());
        for (name, server) in [("http", servers.public), ("http.private", servers.private)] {
            let (report, shutdown) = (report.clone(), shutdown.clone());
            running.push((
                name,
                tasks::spawn(name, async move {
                    let ended = server.await;
                    if !shutdown.is_cancelled() {
                        let why =
                            ended.err().map_or_else(|| "it stopped by itself".to_owned(), |error| error.to_string());
                        let _ = report.send(anyhow!("the server {name} of {} ended: {why}", S::NAME));
                    }
                }),
            ));
        }
        lifecycle.enter(Phase::Ready);
        Self {
            addr,
            private_addr,
            service: S::NAME,
            lifecycle,
            shutdown,
            stop_tasks,
            public,
            private,
            drain_delay,
            running,
            failures,
        }
    }

    /// Waits until a part of the service fails that it cannot do without. Does not end otherwise.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.failures.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Leaves in good order: readiness off, a moment for load balancers to notice, no new connections, requests
    /// finished, tasks finished; both within [`DRAIN`]. Answers false when something had to be cut off.
    pub async fn stop(mut self) -> bool {
        let begun = Instant::now();
        self.lifecycle.enter(Phase::Draining);
        tokio::time::sleep(self.drain_delay).await;
        self.shutdown.cancel();
        // The server has the same limit itself and drops what is left then.
        self.public.stop(true).await;
        self.stop_tasks.cancel();

        let deadline = tokio::time::Instant::now() + DRAIN.saturating_sub(begun.elapsed()).max(Duration::from_secs(1));
        let mut clean = true;
        // The private port goes last: it tells how the leaving goes.
        let mut last = Vec::new();
        for (name, handle) in std::mem::take(&mut self.running) {
            if name == "http.private" {
                last.push(handle);
            } else if tokio::time::timeout_at(deadline, handle).await.is_err() {
                clean = false;
                tracing::warn!(service = self.service, task.name = name, "A task did not stop in time");
            }
        }
        self.private.stop(false).await;
        for handle in last {
            let _ = handle.await;
        }
        tracing::info!(service = self.service, duration_ms = begun.elapsed().as_millis(), "The service has stopped");
        clean
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.lifecycle.enter(Phase::Draining);
        self.shutdown.cancel();
        self.stop_tasks.cancel();
        // The command is sent at the call; nobody waits for its end. After `stop` there is nobody to receive it.
        drop(self.public.stop(false));
        drop(self.private.stop(false));
    }
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started")
            .field("service", &self.service)
            .field("addr", &self.addr)
            .field("private_addr", &self.private_addr)
            .finish_non_exhaustive()
    }
}

/// Runs `task` under its name; an error or a panic is reported as the end of the service.
fn run(
    service: &'static str,
    task: Task,
    stop: CancellationToken,
    report: mpsc::UnboundedSender<anyhow::Error>,
) -> JoinHandle<()> {
    let name = task.name;
    let scope = tracing::info_span!(target: telemetry::SCOPE, parent: None, "task", service, task.name = name);
    let work = async move {
        // Built inside, so that a panic while it is being built is caught as well.
        let work = AssertUnwindSafe(async move { (task.run)(stop).await });
        let failure = match work.catch_unwind().await {
            Ok(Ok(())) => return tracing::debug!("A task has ended"),
            Ok(Err(error)) => error.context(format!("the task {name} of {service} failed")),
            Err(panic) => anyhow!("the task {name} of {service} panicked: {}", tasks::panic_message(&*panic)),
        };
        // Nobody listens once the service is stopping.
        let _ = report.send(failure);
    };
    tasks::spawn(name, work.instrument(scope))
}

/// Takes `addr`, or says in one sentence why not and which variable to change.
fn listen(service: &str, addr: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let socket = || {
        let socket = if addr.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
        // Without it a restart would have to wait until the connections of the last run are forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)?.into_std()
    };
    socket().map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another process uses this port".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            io::ErrorKind::PermissionDenied => "ports below 1024 need special permission".to_owned(),
            _ => error.to_string(),
        };
        anyhow!("{service} cannot listen on {addr}: {why}. Set {variable} to another address.")
    })
}
