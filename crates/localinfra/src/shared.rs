//! One PostgreSQL and one RabbitMQ for all processes of a test run, and for several runs at once.
//!
//! The first process starts both under a file lock; every process holds the guard's named pipe open, which is its
//! lease. The guard retracts the announcement before it ends the servers and looks at the pipe once more; a
//! process that joins looks for the announcement after it has opened the pipe. So nobody is given servers that
//! are about to end.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, thread};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Tried};
use crate::guard::{self, Lease};
use crate::postgres::{self, Postgres, PostgresOptions};
use crate::rabbit::{self, Rabbit};
use crate::settings::{create_dir, write_private};
use crate::{probe, process, wait};

/// Names a PostgreSQL for the tests to use instead of a private one (a superuser's URL).
pub const DATABASE_URL_VARIABLE: &str = "BRAINOPS_TEST_DATABASE_URL";
/// Names a RabbitMQ for the tests to use instead of a private one.
pub const AMQP_URL_VARIABLE: &str = "BRAINOPS_TEST_AMQP_URL";

/// Long enough for the next test of a run to start, short enough to be forgotten.
const LINGER_SECONDS: u32 = 5;

/// Servers shared with other processes. They stay at least as long as this value does.
#[derive(Debug)]
pub struct Shared {
    /// PostgreSQL, as superuser.
    pub database_url: String,
    /// RabbitMQ, as administrator.
    pub amqp_url: String,
    /// `None` when the servers were given from outside.
    lease: Option<Lease>,
}

/// What joining processes need to know.
#[derive(Debug, Serialize, Deserialize)]
struct Announcement {
    database_url: String,
    amqp_url: String,
    database_port: u16,
    amqp_port: u16,
    guard: i32,
}

/// Where the tests of this user keep the shared servers: one folder for all checkouts.
pub fn shared_dir() -> PathBuf {
    env::temp_dir().join(format!("brainops-test-{}", geteuid()))
}

/// Joins the servers of `dir`, or starts them when nobody has. `BRAINOPS_TEST_DATABASE_URL` and
/// `BRAINOPS_TEST_AMQP_URL` take precedence when both are set.
pub fn shared(dir: impl AsRef<Path>) -> Result<Shared, Error> {
    if let Some(given) = from_environment() {
        return Ok(given);
    }
    let place = Place::new(dir.as_ref())?;
    let lock = File::options().create(true).append(true).open(&place.lock).tried("create", &place.lock)?;
    lock.lock().tried("lock", &place.lock)?;
    // Waits while a guard that has retracted its announcement ends its servers, or changes its mind.
    let joined = wait::until(Duration::from_mins(1), || match place.join()? {
        Joined::Servers(shared) => Ok(Some(Some(shared))),
        Joined::Nobody => Ok(Some(None)),
        Joined::Leaving => Ok::<_, Error>(None),
    })?;
    match joined.flatten() {
        Some(shared) => Ok(shared),
        None => place.start(),
    }
}

impl Shared {
    /// Leaves for good and lets the servers end now instead of after a while, if nobody else uses them. Returns
    /// when they have.
    pub fn end(self, dir: impl AsRef<Path>) -> Result<(), Error> {
        let Some(lease) = self.lease else { return Ok(()) };
        lease.linger(0)?;
        drop(lease);
        let place = Place::new(dir.as_ref())?;
        let retracted = || Ok::<_, Error>((!place.announcement.exists()).then_some(()));
        if wait::until(Duration::from_secs(1), retracted)?.is_some() {
            wait::until(Duration::from_secs(30), || Ok(Lease::join(&place.fifo)?.is_none().then_some(())))?;
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration type; these two variables are their contract"
)]
fn from_environment() -> Option<Shared> {
    let (database_url, amqp_url) = (env::var(DATABASE_URL_VARIABLE).ok()?, env::var(AMQP_URL_VARIABLE).ok()?);
    Some(Shared { database_url, amqp_url, lease: None })
}

enum Joined {
    Servers(Shared),
    Leaving,
    Nobody,
}

/// The files of a shared pair of servers.
struct Place {
    lock: PathBuf,
    fifo: PathBuf,
    announcement: PathBuf,
    postgres: PathBuf,
    rabbit: PathBuf,
}

impl Place {
    fn new(dir: &Path) -> Result<Self, Error> {
        create_dir(dir)?;
        // In a folder that everybody can write to, somebody else may have been there first.
        let meta = fs::symlink_metadata(dir).tried("open", dir)?;
        if meta.uid() != geteuid().as_raw() || !meta.is_dir() {
            return Err(Error::NotOurs { dir: dir.to_owned() });
        }
        let dir = fs::canonicalize(dir).tried("open", dir)?;
        Ok(Self {
            lock: dir.join("lock"),
            fifo: dir.join("leases"),
            announcement: dir.join("servers.json"),
            postgres: dir.join("postgres"),
            rabbit: dir.join("rabbitmq"),
        })
    }

    fn join(&self) -> Result<Joined, Error> {
        let Some(lease) = Lease::join(&self.fifo)? else { return Ok(Joined::Nobody) };
        lease.linger(LINGER_SECONDS)?;
        let text = match fs::read(&self.announcement) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Joined::Leaving),
            Err(error) => return Err(error).tried("read", &self.announcement),
        };
        let found: Announcement =
            serde_json::from_slice(&text).map_err(io::Error::from).tried("read", &self.announcement)?;
        let answers = || probe::postgres(found.database_port) && probe::amqp(found.amqp_port);
        if wait::until(Duration::from_secs(5), || Ok::<_, Error>(answers().then_some(())))?.is_none() {
            // A server was killed or hangs: end what is left and start afresh.
            if process::is_marked(found.guard, guard::MARK) {
                let _ = killpg(Pid::from_raw(found.guard), Signal::SIGKILL);
            }
            return Ok(Joined::Leaving);
        }
        Ok(Joined::Servers(Shared { database_url: found.database_url, amqp_url: found.amqp_url, lease: Some(lease) }))
    }

    /// Starts both servers at the same time.
    fn start(&self) -> Result<Shared, Error> {
        let _ = fs::remove_file(&self.announcement);
        let mut pid_files = vec![self.postgres.join("pid")];
        pid_files.extend(rabbit::pid_files(&self.rabbit));
        let (group, lease) = guard::start_shared(&self.fifo, &self.announcement, &pid_files)?;
        let (postgres, rabbit) = thread::scope(|scope| {
            let rabbit = scope.spawn(|| self.start_rabbit(group));
            let postgres = self.start_postgres(group);
            (postgres, rabbit.join())
        });
        let rabbit = rabbit.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (postgres, rabbit) = (postgres?, rabbit?);
        let announcement = Announcement {
            database_url: postgres.admin_url(),
            amqp_url: rabbit.amqp_url(),
            database_port: postgres.port(),
            amqp_port: rabbit.port(),
            guard: group,
        };
        let text = serde_json::to_vec_pretty(&announcement).map_err(io::Error::from);
        write_private(&self.announcement, &text.tried("write", &self.announcement)?)?;
        lease.linger(LINGER_SECONDS)?;
        postgres.detach();
        rabbit.detach();
        Ok(Shared { database_url: announcement.database_url, amqp_url: announcement.amqp_url, lease: Some(lease) })
    }

    /// Both servers start empty: what tests that were killed left behind would gather, and data written without
    /// fsync are not to be trusted after a power failure. It costs nothing, as RabbitMQ is the slower one anyway.
    fn start_postgres(&self, group: i32) -> Result<Postgres, Error> {
        postgres::wipe(&self.postgres)?;
        Postgres::start_in(&self.postgres, PostgresOptions::for_tests(), Some(group))
    }

    fn start_rabbit(&self, group: i32) -> Result<Rabbit, Error> {
        rabbit::wipe(&self.rabbit)?;
        Rabbit::start_in(&self.rabbit, Some(group))
    }
}
