//! What can go wrong, said so that the reader knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// Why a server could not be started or controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error("{what} was not found. Install it with `scripts/setup.sh`, or by hand: {install}. Looked in: {looked}")]
    Missing {
        /// The programs that were looked for.
        what: &'static str,
        /// The commands that install them.
        install: &'static str,
        /// Where they were looked for.
        looked: String,
    },
    /// Another live process owns the directory.
    #[error("{} is in use by another process; stop that one first or choose another directory", dir.display())]
    InUse {
        /// The directory of the server.
        dir: PathBuf,
    },
    /// The directory belongs to somebody else, who could have put anything into it.
    #[error("{} belongs to another user; remove it or choose another directory", dir.display())]
    NotOurs {
        /// The directory of the server.
        dir: PathBuf,
    },
    /// A process of an earlier run is still there and could not be ended.
    #[error("process {pid} of an earlier run in {} could not be ended; end it by hand", dir.display())]
    LeftOver {
        /// Its process id.
        pid: i32,
        /// The directory that it serves.
        dir: PathBuf,
    },
    /// PostgreSQL refuses to run as root and there is nobody else to run it.
    #[error(
        "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`; add one: useradd --system postgres"
    )]
    NoUser,
    /// The data were written by another major version of PostgreSQL.
    #[error("{} was written by PostgreSQL {found}, but only {available} is installed; install PostgreSQL {found}, or move the directory away to start empty", data.display())]
    Version {
        /// The data directory.
        data: PathBuf,
        /// The major version that wrote it.
        found: String,
        /// The major version that is installed.
        available: String,
    },
    /// The server ended, or did not answer in time, while it was starting.
    #[error("{server} {problem}; the end of {}:\n{tail}", log.display())]
    Start {
        /// The server's name.
        server: &'static str,
        /// What it did.
        problem: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The operating system refused something.
    #[error("{action}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it was refused.
        #[source]
        source: io::Error,
    },
}

/// Says what was tried when an operating system call fails.
pub(crate) trait Tried<T> {
    /// `verb` and `path` read as a sentence: "cannot write /x/y".
    fn tried(self, verb: &str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Tried<T> for Result<T, E> {
    fn tried(self, verb: &str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action: format!("cannot {verb} {}", path.display()), source: source.into() })
    }
}
