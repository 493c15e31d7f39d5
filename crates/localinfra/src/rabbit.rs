//! A private RabbitMQ node.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::{Error, Tried};
use crate::guard::Guard;
use crate::postgres::lock;
use crate::probe;
use crate::process::{self, Files, Process, Steps};
use crate::programs::RabbitPrograms;
use crate::settings::{Settings, create_dir, write_private};

/// What outlives a run, under the node's directory.
const DATA: &str = "mnesia";
const USER: &str = "brainops";
/// It takes five seconds on an idle machine, and many times that beside a compiler.
const START: Duration = Duration::from_mins(3);
/// A node that is asked while it still finishes its start forgets the request, so it is asked again.
const STOP: Steps = &[
    (Signal::SIGTERM, Duration::from_secs(4)),
    (Signal::SIGTERM, Duration::from_secs(8)),
    (Signal::SIGTERM, Duration::from_secs(20)),
];
const STOP_EPMD: Steps = &[(Signal::SIGTERM, Duration::from_secs(5))];

/// A private RabbitMQ node with an Erlang port mapper of its own; stops when dropped.
pub struct Rabbit {
    // Field order is drop order: node, port mapper, guard.
    node: Option<Process>,
    epmd: Epmd,
    programs: RabbitPrograms,
    dir: PathBuf,
    settings: Settings<3>,
    group: i32,
    _guard: Option<Guard>,
    _lock: File,
}

fn url(settings: &Settings<3>) -> String {
    format!("amqp://{USER}:{}@127.0.0.1:{}/%2f", settings.password, settings.ports[0])
}

/// The port mapper, running in the foreground: as the daemon that Erlang would start by itself it would stay
/// behind for ever.
struct Epmd(Option<Process>);

impl Rabbit {
    /// Starts a node on the data in `dir` and waits until it takes clients. The ports stay the same from one run
    /// to the next as long as they are free.
    pub fn start(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::start_in(dir.as_ref(), None)
    }

    /// As [`Rabbit::start`], in the process group of a guard that exists already.
    pub(crate) fn start_in(dir: &Path, group: Option<i32>) -> Result<Self, Error> {
        create_dir(dir)?;
        let dir = fs::canonicalize(dir).tried("open", dir)?;
        let lock = lock(&dir)?;
        let programs = RabbitPrograms::find()?;
        let files = [node_files(&dir), epmd_files(&dir)];
        process::end_left_over(&files[0].pid, STOP)?;
        process::end_left_over(&files[1].pid, STOP_EPMD)?;
        let settings = Settings::<3>::load(&dir.join("settings.json"))?;
        let guard = match group {
            None => Some(Guard::start(&files.map(|files| files.pid))?),
            Some(_) => None,
        };
        let group = group.or(guard.as_ref().map(Guard::group)).unwrap_or_default();
        write_configuration(&dir, &settings)?;
        let epmd = Epmd(Some(start_epmd(&programs, &dir, settings.ports[2], group)?));
        let mut rabbit = Self { node: None, epmd, programs, dir, settings, group, _guard: guard, _lock: lock };
        rabbit.run()?;
        Ok(rabbit)
    }

    /// The URL for clients.
    pub fn amqp_url(&self) -> String {
        url(&self.settings)
    }

    /// The URL of the server in `dir` that another process runs, or ran last; `None` when there never was one.
    pub fn url_of(dir: impl AsRef<Path>) -> Option<String> {
        Settings::of(&dir.as_ref().join("settings.json")).as_ref().map(url)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.settings.ports[0]
    }

    /// Stops the node in order. Nothing happens when it is stopped already.
    pub fn stop(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.end(STOP);
        }
    }

    /// Ends the node by `SIGKILL`, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.end(&[]);
        }
    }

    /// Freezes the node; clients see a broker that does not answer.
    pub fn pause(&self) {
        if let Some(node) = &self.node {
            node.signal(Signal::SIGSTOP);
        }
    }

    /// Lets a frozen node go on.
    pub fn resume(&self) {
        if let Some(node) = &self.node {
            node.signal(Signal::SIGCONT);
        }
    }

    /// Starts the node again on the same port with its data, after stopping it if it runs.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        self.run()
    }

    /// Leaves the node to its shared guard.
    pub(crate) fn detach(mut self) {
        for process in [self.node.take(), self.epmd.0.take()].into_iter().flatten() {
            process.detach();
        }
    }

    fn run(&mut self) -> Result<(), Error> {
        let mark = mark(&self.settings);
        let mut node = Process::start("RabbitMQ", self.command(), &node_files(&self.dir), self.group, &mark)?;
        let port = self.port();
        node.wait_ready(START, || probe::amqp(port)).inspect_err(|_| node.end(STOP))?;
        self.node = Some(node);
        Ok(())
    }

    fn command(&self) -> Command {
        let Settings { ports: [amqp, distribution, epmd], token, .. } = &self.settings;
        let mut command = Command::new(&self.programs.server);
        process::hide_variables(&mut command, &["RABBITMQ_", "ERL_", "NOTIFY_SOCKET"]);
        // Keeps the port mapper and the distribution port on loopback. "+B i" makes Erlang ignore Ctrl-C.
        let erlang =
            format!("+B i +S 2:2 -kernel inet_dist_use_interface {{127,0,0,1}} -brainops {}", mark(&self.settings));
        command
            .current_dir(&self.dir)
            // Erlang keeps its cookie there.
            .env("HOME", &self.dir)
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // RabbitMQ looks for its port mapper once a minute and would start a lost one as a daemon.
            .env("ERL_AFLAGS", "-start_epmd false")
            // Makes the start script become the server instead of its parent, so that signals reach the server.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("RABBITMQ_NODENAME", format!("brainops-{token}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", amqp.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang)
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_PID_FILE", self.dir.join("node.pid"))
            .env("RABBITMQ_MNESIA_BASE", self.dir.join(DATA))
            .env("RABBITMQ_LOG_BASE", self.dir.join("logs"))
            .env("RABBITMQ_SCHEMA_DIR", self.dir.join("schema"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", self.dir.join("generated"))
            .env("RABBITMQ_CONF_ENV_FILE", self.dir.join("env.conf"))
            .env("RABBITMQ_CONFIG_FILE", self.dir.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.dir.join("enabled_plugins"));
        if !cfg!(target_os = "macos") {
            // Elixir and Erlang complain about any other encoding of names.
            command.env("LC_ALL", "C.UTF-8");
        }
        command
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Drop for Epmd {
    fn drop(&mut self) {
        if let Some(mut process) = self.0.take() {
            process.end(STOP_EPMD);
        }
    }
}

/// Removes all data in `dir`, ending a node that an earlier run left on them.
pub(crate) fn wipe(dir: &Path) -> Result<(), Error> {
    for pid_file in pid_files(dir) {
        process::end_left_over(&pid_file, &[])?;
    }
    match fs::remove_dir_all(dir.join(DATA)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).tried("remove", &dir.join(DATA)),
        _ => Ok(()),
    }
}

/// The pid files of node and port mapper.
pub(crate) fn pid_files(dir: &Path) -> [PathBuf; 2] {
    [node_files(dir).pid, epmd_files(dir).pid]
}

fn node_files(dir: &Path) -> Files {
    Files { log: dir.join("log"), pid: dir.join("pid") }
}

fn epmd_files(dir: &Path) -> Files {
    Files { log: dir.join("epmd.log"), pid: dir.join("epmd.pid") }
}

/// The word on the node's command line that no other process has.
fn mark(settings: &Settings<3>) -> String {
    format!("brainops-{}", settings.token)
}

fn start_epmd(programs: &RabbitPrograms, dir: &Path, port: u16, group: i32) -> Result<Process, Error> {
    let mut command = Command::new(&programs.epmd);
    let arguments = format!("-port {port} -address 127.0.0.1");
    command.args(arguments.split(' ')).current_dir("/");
    process::hide_variables(&mut command, &["ERL_"]);
    let mut epmd = Process::start("epmd", command, &epmd_files(dir), group, &arguments)?;
    // The node must find it: otherwise Erlang starts a daemon on this port.
    epmd.wait_ready(Duration::from_secs(20), || probe::open(port)).inspect_err(|_| epmd.end(STOP_EPMD))?;
    Ok(epmd)
}

fn write_configuration(dir: &Path, settings: &Settings<3>) -> Result<(), Error> {
    let configuration = format!(
        "# Written at each start.\n\
         default_user = {USER}\n\
         default_pass = {}\n\
         # Node and tests share one machine.\n\
         vm_memory_high_watermark.absolute = 1GB\n\
         disk_free_limit.absolute = 50MB\n\
         # The default of 512 MB is kept in memory, too.\n\
         raft.wal_max_size_bytes = 33554432\n",
        settings.password,
    );
    write_private(&dir.join("rabbitmq.conf"), configuration.as_bytes())?;
    write_private(&dir.join("enabled_plugins"), b"[].\n")?;
    // Stands in for the machine's own, which would be read otherwise.
    write_private(&dir.join("env.conf"), b"")
}
