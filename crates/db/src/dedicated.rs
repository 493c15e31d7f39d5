//! Connections of their own, outside the pool, for what lasts: the relay and other work that one replica does at a time.
//! They work as the system role throughout.

use std::time::Duration;

use diesel::{PgConnection, RunQueryDsl, connection::SimpleConnection, sql_types};
use tokio::task::spawn_blocking;

use crate::{
    Db, Error,
    connection::{self, Limits},
    roles, transaction,
};

/// How often a replica asks for a lock that another one holds, and how often the holder looks whether it still does.
const LOCK_INTERVAL: Duration = Duration::from_secs(1);

/// A connection outside the pool, as the system role. Locks and open transactions end with it: when it is dropped, when
/// the server goes away, and when a call on it is cancelled half-way.
pub struct Dedicated {
    schema: &'static str,
    /// `None` once it was lost.
    conn: Option<PgConnection>,
}

impl Db {
    /// Opens a connection for `purpose`, which shows in `pg_stat_activity`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn dedicated(&self, purpose: &'static str) -> Result<Dedicated, Error> {
        let (url, schema) = (self.inner.url.clone(), self.inner.schema);
        let name = format!("brainops-{}-{purpose}", self.inner.service);
        let conn = blocking(move || {
            let mut conn = connection::establish(url.expose(), &name, schema, &Limits::DEDICATED)?;
            conn.batch_execute(&format!("SET ROLE \"{}\"", roles::system(schema)))?;
            Ok::<_, Error>(conn)
        })
        .await??;
        Ok(Dedicated { schema, conn: Some(conn) })
    }

    /// Runs `work` while this process, alone among all replicas, holds the lock `name` of the service; waits for the
    /// lock first, for as long as it takes.
    ///
    /// `work` is dropped at its next await when the lock's connection is lost; another replica may have begun within the
    /// second it took to notice. What must not overlap at all uses the lock's own connection ([`Dedicated`]).
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be reached, or the lock was lost.
    pub async fn exclusively<T>(&self, name: &'static str, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut lock = self.dedicated(name).await?;
        while !lock.try_lock(name).await? {
            tokio::time::sleep(LOCK_INTERVAL).await;
        }
        tokio::select! {
            done = work => Ok(done),
            error = lock.lost() => Err(error),
        }
    }
}

impl Dedicated {
    /// Runs `work` on a blocking thread, in whatever transaction is open (see [`begin`](Self::begin)), or each statement
    /// by itself.
    ///
    /// # Errors
    /// What `work` gives; [`Error::Unavailable`] when the connection is lost, then and ever after.
    pub async fn run<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, E> + Send + 'static,
    {
        let mut conn = self.conn.take().ok_or_else(lost)?;
        let (mut conn, outcome) = blocking(move || {
            let outcome = work(&mut conn);
            (conn, outcome)
        })
        .await?;
        if !transaction::is_lost(&mut conn) {
            self.conn = Some(conn);
        }
        outcome
    }

    /// Begins a transaction that lasts over several calls of [`run`](Self::run). Postgres ends it, and the connection,
    /// when nothing happens in it for a minute.
    pub async fn begin(&mut self) -> Result<(), Error> {
        self.run(|conn| transaction::open(conn, "BEGIN").map_err(Error::from)).await
    }

    /// Commits the open transaction.
    pub async fn commit(&mut self) -> Result<(), Error> {
        self.run(transaction::commit).await
    }

    /// Rolls the open transaction back; harmless when there is none.
    pub async fn rollback(&mut self) -> Result<(), Error> {
        self.run(|conn| {
            transaction::rollback(conn);
            Ok(())
        })
        .await
    }

    /// Takes the service's lock `name` for as long as this connection lives; `false` when another session has it.
    pub async fn try_lock(&mut self, name: &str) -> Result<bool, Error> {
        let key = lock_key(self.schema, name);
        self.run(move |conn| try_lock(conn, key)).await
    }

    /// Resolves when the connection is lost, and with it its locks. Looks once a second.
    pub async fn lost(&mut self) -> Error {
        loop {
            tokio::time::sleep(LOCK_INTERVAL).await;
            if let Err(error) = self.run(|conn| connection::ping(conn).map_err(Error::from)).await {
                return error;
            }
        }
    }

    /// Subscribes to a NOTIFY channel.
    pub(crate) async fn listen(&mut self, channel: &str) -> Result<(), Error> {
        let listen = format!("LISTEN \"{channel}\"");
        self.run(move |conn| conn.batch_execute(&listen).map_err(Error::from)).await
    }

    /// Whether a notification arrived. Reads what the socket holds and does not wait, so it needs no blocking thread.
    pub(crate) fn take_notifications(&mut self) -> Result<bool, Error> {
        let conn = self.conn.as_mut().ok_or_else(lost)?;
        let found = conn.notifications_iter().try_fold(false, |_, notification| notification.map(|_| true));
        found.map_err(|error| {
            self.conn = None;
            Error::unavailable(error)
        })
    }
}

/// The advisory lock `name` of a schema. Different names may share a key with a chance of one in 2^64.
pub(crate) fn lock_key(schema: &str, name: &str) -> i64 {
    let hash = blake3::Hasher::new_derive_key("brainops 2026 advisory lock")
        .update(schema.as_bytes())
        .update(&[0])
        .update(name.as_bytes())
        .finalize();
    let mut key = [0; 8];
    key.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_le_bytes(key)
}

pub(crate) fn try_lock(conn: &mut PgConnection, key: i64) -> Result<bool, Error> {
    Ok(diesel::select(pg_try_advisory_lock(key)).get_result(conn)?)
}

diesel::define_sql_function! {
    fn pg_try_advisory_lock(key: sql_types::BigInt) -> sql_types::Bool;
}

/// Runs `work` on a blocking thread; a panic goes on to the caller.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let span = tracing::Span::current();
    match spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => Ok(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::unavailable("the process is shutting down")),
    }
}

fn lost() -> Error {
    Error::unavailable("the dedicated connection was lost")
}

impl std::fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dedicated").field("schema", &self.schema).field("lost", &self.conn.is_none()).finish()
    }
}
