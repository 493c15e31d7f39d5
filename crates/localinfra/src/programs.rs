//! Finding the installed programs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// PostgreSQL's server programs.
#[derive(Debug, Clone)]
pub struct PostgresPrograms {
    /// Their folder.
    pub bin: PathBuf,
    /// Their major version, such as 15.
    pub version: u32,
}

impl PostgresPrograms {
    /// The newest version that is installed, or `wanted` when that one is.
    pub fn find(wanted: Option<u32>) -> Result<Self, Error> {
        let mut folders = path();
        folders.extend(versions("/usr/lib/postgresql", "bin"));
        folders.extend(versions("/opt/homebrew/opt", "bin"));
        folders.extend(versions("/usr/local/opt", "bin"));
        folders.extend(["/usr/local/pgsql/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from));
        let mut found: Vec<Self> = folders
            .iter()
            .filter(|bin| ["initdb", "postgres"].iter().all(|name| is_program(&bin.join(name))))
            // A link in PATH leads to the folder that has the other programs, too.
            .filter_map(|bin| Some(fs::canonicalize(bin.join("postgres")).ok()?.parent()?.to_owned()))
            .filter_map(|bin| Some(Self { version: postgres_version(&bin)?, bin }))
            .collect();
        // Stable: among equal versions the one that comes first in PATH stays first.
        found.sort_by_key(|programs| (Some(programs.version) != wanted, std::cmp::Reverse(programs.version)));
        found.into_iter().next().ok_or_else(|| Error::Missing {
            what: "PostgreSQL's server (initdb, postgres)",
            install: "`apt-get install postgresql` on Debian and Ubuntu, `brew install postgresql@17` on macOS",
            looked: looked(&folders),
        })
    }

    /// The path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// RabbitMQ's server script and Erlang's port mapper.
#[derive(Debug, Clone)]
pub struct RabbitPrograms {
    /// The script that starts the server.
    pub server: PathBuf,
    /// Erlang's name service, of which each private server has its own.
    pub epmd: PathBuf,
}

impl RabbitPrograms {
    /// The installed programs.
    pub fn find() -> Result<Self, Error> {
        // Before PATH: what Debian puts there is a wrapper that works for root and for the user `rabbitmq` only.
        let mut folders = vec![PathBuf::from("/usr/lib/rabbitmq/bin")];
        folders.extend(["/opt/homebrew/sbin", "/usr/local/sbin"].map(PathBuf::from));
        folders.extend(path());
        let server = first(&folders, "rabbitmq-server").ok_or_else(|| Error::Missing {
            what: "RabbitMQ (rabbitmq-server)",
            install: "`apt-get install rabbitmq-server` on Debian and Ubuntu, `brew install rabbitmq` on macOS",
            looked: looked(&folders),
        })?;
        let mut folders = path();
        for root in ["/usr/lib/erlang", "/opt/homebrew/opt/erlang/lib/erlang", "/usr/local/opt/erlang/lib/erlang"] {
            folders.push(Path::new(root).join("bin"));
            folders.extend(versions(root, "bin"));
        }
        let epmd = first(&folders, "epmd").ok_or_else(|| Error::Missing {
            what: "Erlang's port mapper (epmd)",
            install: "`apt-get install erlang-base` on Debian and Ubuntu, `brew install erlang` on macOS",
            looked: looked(&folders),
        })?;
        Ok(Self { server, epmd })
    }
}

#[expect(clippy::disallowed_methods, reason = "PATH is not configuration of ours")]
fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// `<root>/*/<sub>` for each folder in `root`.
fn versions(root: &str, sub: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join(sub)).filter(|folder| folder.is_dir()).collect()
}

fn first(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn looked(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    names.join(", ")
}

/// Reads "postgres (PostgreSQL) 15.14 (Debian …)".
fn postgres_version(bin: &Path) -> Option<u32> {
    let output = std::process::Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    number.split(|other: char| !other.is_ascii_digit()).next()?.parse().ok()
}
