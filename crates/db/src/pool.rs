//! Bounded blocking. diesel blocks its thread, so each transaction runs on one of tokio's blocking threads; a semaphore as
//! large as the pool sees to it that no thread ever waits for a connection, and that a burst queues here, in the order of
//! arrival and for two seconds at most, instead of filling the machine with threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{
    PgConnection,
    r2d2::{
        ConnectionManager, CustomizeConnection, Error as ConnectError, HandleError, Pool as R2d2, PooledConnection,
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Error, Settings,
    connection::{self, Limits},
    metrics::Metrics,
    transaction,
};

/// How long a transaction may wait for its turn and its connection, together.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) type Pooled = PooledConnection<ConnectionManager<PgConnection>>;

pub(crate) struct Pool {
    connections: R2d2<ConnectionManager<PgConnection>>,
    turns: Arc<Semaphore>,
    reachable: Reachable,
    movement: Arc<Movement>,
    pub metrics: Arc<Metrics>,
}

/// The right to use one connection. Dropped after the connection went back.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    since: Instant,
    movement: Arc<Movement>,
    metrics: Arc<Metrics>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.movement.note();
        self.metrics.in_use.dec();
    }
}

impl Pool {
    pub fn new(settings: &Settings, schema: &'static str, service: &'static str) -> Self {
        let size = settings.pool.get();
        let reachable = Reachable(Arc::new(AtomicBool::new(true)));
        let url = connection::conninfo(settings.url.expose(), &format!("brainops-{service}"));
        let connections = R2d2::builder()
            .max_size(u32::try_from(size).unwrap_or(u32::MAX))
            // One spare connection is kept ready; the others come with the load and go after ten quiet minutes.
            .min_idle(Some(1))
            .connection_timeout(PATIENCE)
            // The first statement of each transaction is the test: see `open`.
            .test_on_check_out(false)
            .error_handler(Box::new(reachable.clone()))
            .connection_customizer(Box::new(Customizer { schema, reachable: reachable.clone() }))
            .build_unchecked(ConnectionManager::new(url));
        Self {
            connections,
            turns: Arc::new(Semaphore::new(size)),
            reachable,
            movement: Arc::new(Movement::new()),
            metrics: Arc::new(Metrics::new(service, size)),
        }
    }

    /// Waits for a turn, at most [`PATIENCE`].
    pub async fn turn(&self) -> Result<Turn, Error> {
        let since = Instant::now();
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            self.metrics.busy.inc();
            return Err(Error::Busy);
        };
        self.metrics.in_use.inc();
        Ok(Turn { _permit: permit, since, movement: Arc::clone(&self.movement), metrics: Arc::clone(&self.metrics) })
    }

    /// Whether a transaction ended within the last five seconds, well or badly: a full pool that moves is busy, one that
    /// does not is stuck.
    pub fn is_moving(&self) -> bool {
        self.movement.silence() < Duration::from_secs(5)
    }

    /// Takes a connection and begins a transaction with `sql`. Blocks; for whoever holds a turn.
    ///
    /// Connections that died while they were idle (Postgres was restarted) are found by BEGIN failing on them and
    /// replaced. Nothing has run at that point, so trying again is safe.
    pub fn open(&self, turn: &Turn, sql: &str) -> Result<Pooled, Error> {
        loop {
            let mut conn = self.connection(turn)?;
            match transaction::open(&mut conn, sql) {
                Ok(()) => {
                    self.metrics.wait.observe(turn.since.elapsed().as_secs_f64());
                    return Ok(conn);
                }
                // Dropping it here gives it back to r2d2, which sees that it is broken and makes another.
                Err(_) if transaction::is_lost(&mut conn) && turn.since.elapsed() < PATIENCE => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn connection(&self, turn: &Turn) -> Result<Pooled, Error> {
        let left = PATIENCE.saturating_sub(turn.since.elapsed());
        self.connections.get_timeout(left).map_err(|error| {
            self.metrics.wait.observe(turn.since.elapsed().as_secs_f64());
            if self.reachable.get() {
                self.metrics.busy.inc();
                Error::Busy
            } else {
                Error::unavailable(error)
            }
        })
    }
}

/// When a connection was last given back.
struct Movement {
    epoch: Instant,
    last_ms: AtomicU64,
}

impl Movement {
    fn new() -> Self {
        Self { epoch: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    fn note(&self) {
        self.last_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether the last attempt to connect worked. Each change is logged once, not each attempt.
#[derive(Clone, Debug)]
struct Reachable(Arc<AtomicBool>);

impl Reachable {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl HandleError<ConnectError> for Reachable {
    fn handle_error(&self, error: ConnectError) {
        if self.0.swap(false, Ordering::Relaxed) {
            tracing::warn!(error = %error, "The database cannot be reached; trying again until it can");
        }
    }
}

#[derive(Debug)]
struct Customizer {
    schema: &'static str,
    reachable: Reachable,
}

impl CustomizeConnection<PgConnection, ConnectError> for Customizer {
    fn on_acquire(&self, conn: &mut PgConnection) -> Result<(), ConnectError> {
        connection::prepare(conn, self.schema, &Limits::REQUEST).map_err(ConnectError::QueryError)?;
        if !self.reachable.0.swap(true, Ordering::Relaxed) {
            tracing::info!("The database can be reached again");
        }
        Ok(())
    }
}
