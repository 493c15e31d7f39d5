//! An installation in a folder of its own, and `brainops up` on it.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

use super::{Api, Program};

/// `brainops` as the developer's own environment does not touch it.
pub fn brainops() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brainops"));
    #[expect(clippy::disallowed_methods, reason = "to hide it, not to read it")]
    let ours = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("BRAINOPS_")
            || name.starts_with("OTEL_")
            || ["DATABASE_URL", "AMQP_URL", "SENTRY_DSN"].contains(&&*name)
            || ["OPENAI_", "ANTHROPIC_", "GEMINI_"].iter().any(|vendor| name.starts_with(vendor))
    });
    for name in ours {
        command.env_remove(name);
    }
    command
}

/// Where a system keeps its data; they outlive its processes.
pub struct Installation {
    dir: TempDir,
    http: SocketAddr,
}

impl Installation {
    pub fn new() -> Self {
        // Taken and given back: nobody else asks for exactly this port in the next moment.
        let http = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), http }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `brainops <arguments>` on this installation.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = brainops();
        command.args(arguments).arg("--data").arg(self.data()).current_dir(self.dir.path());
        command
    }

    /// `brainops up`, not waited for.
    pub fn begin(&self, variables: &[(&str, &str)]) -> Program {
        let http = self.http.to_string();
        Program::start(self.command(&["up", "--http", &http]).envs(variables.iter().copied()))
    }

    /// `brainops up`, until it says that it is.
    pub async fn up(&self, variables: &[(&str, &str)]) -> System {
        let mut program = self.begin(variables);
        program.wait_out("word that it is up", |line| line.starts_with("BrainOps is up")).await;
        System { program, api: Api::at(self.http), data: self.data() }
    }
}

/// A running system.
pub struct System {
    pub program: Program,
    /// Its gateway.
    pub api: Api,
    data: PathBuf,
}

impl System {
    /// Where a service listens, past the gateway: its port for callers and its private one, as it is said at the start.
    pub fn ports_of(&self, service: &str) -> (SocketAddr, SocketAddr) {
        let stdout = self.program.stdout();
        let line = stdout.lines().find_map(|line| line.strip_prefix(service)?.strip_prefix(" on ")).expect("its line");
        let (addr, rest) = line.split_once(", private port ").expect("both ports");
        let addr: SocketAddr = addr.parse().unwrap();
        let private = rest.split(' ').next().and_then(|port| port.parse().ok()).expect("a number");
        (addr, SocketAddr::new(addr.ip(), private))
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Ends it as Ctrl-C in a service manager would.
    pub async fn stop(mut self) -> Program {
        self.program.terminate().await;
        let status = self.program.ended().await;
        assert!(status.success(), "{status}\n{}", self.program.stderr());
        self.program
    }
}
