//! A private PostgreSQL server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::{Error, Tried};
use crate::guard::Guard;
use crate::probe;
use crate::process::{self, Files, Process, Steps};
use crate::programs::PostgresPrograms;
use crate::settings::{Settings, create_dir, write_private};
use crate::user::RunAs;

const NAME: &str = "PostgreSQL";
/// The bootstrap superuser.
const ADMIN: &str = "postgres";
/// Long, because a crash recovery on a busy machine comes before the first answer.
const START: Duration = Duration::from_mins(2);
/// A fast shutdown; then one that does not wait for children, which takes PostgreSQL five seconds at most.
const STOP: Steps = &[(Signal::SIGINT, Duration::from_secs(30)), (Signal::SIGQUIT, Duration::from_secs(8))];

/// For data that are thrown away anyway.
const STOP_AT_ONCE: Steps = &[(Signal::SIGQUIT, Duration::from_secs(8))];

/// How a server trades safety for speed.
#[derive(Debug, Clone, Copy)]
pub struct PostgresOptions {
    /// Whether a commit is on disk before it is acknowledged. Without it a crash of the machine (not one of the
    /// server) can lose everything.
    pub durable: bool,
    /// How many clients may be connected at the same time.
    pub max_connections: u16,
}

impl PostgresOptions {
    /// For data that somebody wants to keep.
    pub fn durable() -> Self {
        Self { durable: true, max_connections: 200 }
    }

    /// For tests: as fast as it gets, with room for many processes at once.
    pub fn for_tests() -> Self {
        Self { durable: false, max_connections: 400 }
    }

    fn arguments(self) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            // No Unix socket: its path would be limited to 100 bytes, and loopback TCP is enough.
            "unix_socket_directories=".to_owned(),
            format!("max_connections={}", self.max_connections),
            "shared_buffers=128MB".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "jit=off".to_owned(),
        ];
        if !self.durable {
            let fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal"];
            let rare = ["max_wal_senders=0", "checkpoint_timeout=1h", "max_wal_size=4GB"];
            settings.extend(fast.iter().chain(&rare).map(ToString::to_string));
        }
        settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }
}

/// A private PostgreSQL server; stops when dropped.
pub struct Postgres {
    // Field order is drop order: the guard goes last, after the server was stopped.
    process: Option<Process>,
    programs: PostgresPrograms,
    options: PostgresOptions,
    run_as: RunAs,
    /// The data directory as the server knows it; also the mark by which its process is recognized.
    data: PathBuf,
    files: Files,
    settings: Settings<1>,
    group: i32,
    _guard: Option<Guard>,
    _lock: File,
}

impl Postgres {
    /// Starts a server on the data in `dir` and waits until it takes clients; creates the data the first time.
    /// The port stays the same from one run to the next as long as it is free.
    pub fn start(dir: impl AsRef<Path>, options: PostgresOptions) -> Result<Self, Error> {
        Self::start_in(dir.as_ref(), options, None)
    }

    /// As [`Postgres::start`], in the process group of a guard that exists already.
    pub(crate) fn start_in(dir: &Path, options: PostgresOptions, group: Option<i32>) -> Result<Self, Error> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        let files = Files { log: dir.join("log"), pid: dir.join("pid") };
        process::end_left_over(&files.pid, STOP)?;
        let settings = Settings::load(&dir.join("settings.json"))?;
        let run_as = RunAs::find()?;
        let data = run_as.place(dir, &settings.token)?.join("data");
        let programs = PostgresPrograms::find(written_by(&data).and_then(|version| version.parse().ok()))?;
        let guard = match group {
            None => Some(Guard::start(std::slice::from_ref(&files.pid))?),
            Some(_) => None,
        };
        let group = group.or(guard.as_ref().map(Guard::group)).unwrap_or_default();
        let mut postgres =
            Self { process: None, programs, options, run_as, data, files, settings, group, _guard: guard, _lock: lock };
        postgres.prepare_data(dir)?;
        postgres.run()?;
        Ok(postgres)
    }

    /// A connection URL for `user`. It holds the password when that is the superuser, `postgres`; for any other
    /// role the caller knows the password and puts it in with [`Postgres::url_with_password`].
    pub fn url(&self, database: &str, user: &str) -> String {
        if user == ADMIN {
            return self.url_with_password(database, user, &self.settings.password);
        }
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port())
    }

    /// A connection URL for `user`; `password` must not need escaping in a URL.
    pub fn url_with_password(&self, database: &str, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port())
    }

    /// The superuser's URL, for the database `postgres`.
    pub fn admin_url(&self) -> String {
        self.url(ADMIN, ADMIN)
    }

    /// The superuser's URL of the server in `dir` that another process runs, or ran last; `None` when there never was
    /// one.
    pub fn url_of(dir: impl AsRef<Path>, database: &str) -> Option<String> {
        let settings = Settings::<1>::of(&dir.as_ref().join("settings.json"))?;
        let (password, [port]) = (settings.password, settings.ports);
        Some(format!("postgres://{ADMIN}:{password}@127.0.0.1:{port}/{database}"))
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.settings.ports[0]
    }

    /// The installed programs that this server was started with.
    pub fn programs(&self) -> &PostgresPrograms {
        &self.programs
    }

    /// Stops the server in order, ending its clients' connections. Nothing happens when it is stopped already.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(STOP);
        }
    }

    /// Ends the server and its children by `SIGKILL`, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Stopped first, so that it cannot start another child meanwhile.
            process.signal(Signal::SIGSTOP);
            let children = process::children(process.id());
            for child in &children {
                process::send(*child, Signal::SIGKILL);
            }
            process.end(&[]);
            // A server does not start beside children of the last one, which still have its memory.
            process::wait_for_end(&children);
        }
    }

    /// Freezes the server with all its children; clients see a server that does not answer.
    pub fn pause(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets a frozen server go on.
    pub fn resume(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// Starts the server again on the same port, after stopping it if it runs.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        self.run()
    }

    /// Leaves the server to its shared guard.
    pub(crate) fn detach(mut self) {
        if let Some(process) = self.process.take() {
            process.detach();
        }
    }

    fn signal_all(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
            for child in process::children(process.id()) {
                process::send(child, signal);
            }
        }
    }

    fn run(&mut self) -> Result<(), Error> {
        end_previous(&self.data)?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(&self.data).args(["-p", &self.port().to_string()]).args(self.options.arguments());
        let mark = self.data.to_string_lossy();
        let mut process = Process::start(NAME, command, &self.files, self.group, &mark)?;
        let port = self.port();
        process.wait_ready(START, || probe::postgres(port)).inspect_err(|_| process.end(STOP))?;
        self.process = Some(process);
        Ok(())
    }

    /// A command that is run by the right user and knows nothing of the caller's own settings for PostgreSQL.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.program(program));
        self.run_as.apply(&mut command);
        process::hide_variables(&mut command, &["PG"]);
        // The caller's folder may be closed to that user.
        command.current_dir(self.data.parent().unwrap_or(Path::new("/")));
        command
    }

    /// Makes sure of data that the installed programs can read.
    fn prepare_data(&self, dir: &Path) -> Result<(), Error> {
        if let Some(found) = written_by(&self.data) {
            if found == self.programs.version.to_string() {
                return Ok(());
            }
            if self.options.durable {
                let available = self.programs.version.to_string();
                return Err(Error::Version { data: self.data.clone(), found, available });
            }
            fs::remove_dir_all(&self.data).tried("remove", &self.data)?;
        }
        self.create_data()?;
        let shown = dir.join("data");
        if shown.symlink_metadata().is_err() {
            // Kept elsewhere for want of rights; show where.
            std::os::unix::fs::symlink(&self.data, &shown).tried("create", &shown)?;
        }
        Ok(())
    }

    fn create_data(&self) -> Result<(), Error> {
        // Built aside and renamed: a run that is killed half-way leaves nothing that looks like data.
        let new = self.data.with_extension("new");
        if new.exists() {
            fs::remove_dir_all(&new).tried("remove", &new)?;
        }
        fs::create_dir(&new).tried("create", &new)?;
        self.run_as.own(&new)?;
        let password = self.data.with_extension("password");
        write_private(&password, self.settings.password.as_bytes())?;
        self.run_as.own(&password)?;

        let mut command = self.command("initdb");
        let locale = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };
        command.arg("-D").arg(&new).args(["-U", ADMIN, "-A", "scram-sha-256", "-E", "UTF8", "--locale", locale]);
        command.arg("--pwfile").arg(&password);
        if !self.options.durable {
            command.arg("--no-sync");
        }
        let log = File::create(&self.files.log).tried("create", &self.files.log)?;
        let errors = log.try_clone().tried("open", &self.files.log)?;
        let group = std::os::unix::process::CommandExt::process_group(&mut command, self.group);
        let status = group.stdin(Stdio::null()).stdout(log).stderr(errors).status();
        let status = status.tried("run", &self.programs.program("initdb"))?;
        fs::remove_file(&password).tried("remove", &password)?;
        if !status.success() {
            let log = self.files.log.clone();
            let problem = format!("could not create its data ({status})");
            return Err(Error::Start { server: NAME, problem, tail: process::tail(&log), log });
        }
        fs::rename(&new, &self.data).tried("create", &self.data)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Takes the directory for this process, for as long as the file is open.
pub(crate) fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = File::options().create(true).append(true).open(&path).tried("create", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(error).tried("lock", &path),
    }
}

/// Removes all data in `dir`, ending a server that an earlier run left on them.
pub(crate) fn wipe(dir: &Path) -> Result<(), Error> {
    process::end_left_over(&dir.join("pid"), STOP_AT_ONCE)?;
    // They may be kept elsewhere, behind a link.
    let Ok(data) = fs::canonicalize(dir.join("data")) else { return Ok(()) };
    end_previous(&data)?;
    fs::remove_dir_all(&data).tried("remove", &data)
}

/// The major version that wrote the data; `None` when there are none.
fn written_by(data: &Path) -> Option<String> {
    Some(fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().to_owned())
}

/// Ends a server that still has the data open, and removes a lock file whose process id now belongs to somebody
/// else; PostgreSQL itself would take that one for a running server.
fn end_previous(data: &Path) -> Result<(), Error> {
    let file = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else { return Ok(()) };
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).unwrap_or_default();
    process::end_marked(pid, &data.to_string_lossy(), STOP, &file)?;
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).tried("remove", &file),
        _ => Ok(()),
    }
}
