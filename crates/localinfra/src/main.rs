//! The command line of localinfra: servers for a test run, or for poking around.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::Context;
use clap::Parser;
use localinfra::{AMQP_URL_VARIABLE, DATABASE_URL_VARIABLE, Postgres, PostgresOptions, Rabbit, shared, shared_dir};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

/// Private PostgreSQL and RabbitMQ servers.
#[derive(Parser)]
enum Arguments {
    /// Run a command with the shared test servers, and stop them afterwards unless others use them.
    ///
    /// The command finds them in `BRAINOPS_TEST_DATABASE_URL` and `BRAINOPS_TEST_AMQP_URL`.
    Run {
        /// Where the servers keep their data [default: a folder of yours for temporary files]
        #[arg(long)]
        dir: Option<PathBuf>,
        /// The command with its arguments
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<OsString>,
    },
    /// Start servers whose data are kept, print their URLs, and stop them at Ctrl-C.
    Serve {
        /// Where the servers keep their data
        #[arg(long, default_value = ".brainops")]
        dir: PathBuf,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments {
        Arguments::Run { dir, command } => run(&dir.unwrap_or_else(shared_dir), &command),
        Arguments::Serve { dir } => serve(&dir),
    }
}

fn run(dir: &Path, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let servers = shared(dir)?;
    let (program, arguments) = command.split_first().context("no command given")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env(DATABASE_URL_VARIABLE, &servers.database_url)
        .env(AMQP_URL_VARIABLE, &servers.amqp_url)
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let signals = take_signals()?;
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            // A terminal sends Ctrl-C to the command as well; anything else came to this process alone.
            if signal != Signal::SIGINT {
                let _ = kill(pid, signal);
            }
        }
    });
    let status = child.wait()?;
    servers.end(dir)?;
    // A command that was ended by a signal has no code of its own.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn serve(dir: &Path) -> anyhow::Result<ExitCode> {
    let (postgres, rabbit) = thread::scope(|scope| {
        let rabbit = scope.spawn(|| Rabbit::start(dir.join("rabbitmq")));
        (Postgres::start(dir.join("postgres"), PostgresOptions::durable()), rabbit.join())
    });
    let (postgres, rabbit) = (postgres?, rabbit.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
    let signals = take_signals()?;
    let mut out = std::io::stdout();
    writeln!(out, "{DATABASE_URL_VARIABLE}={}", postgres.admin_url())?;
    writeln!(out, "{AMQP_URL_VARIABLE}={}", rabbit.amqp_url())?;
    writeln!(out, "Press Ctrl-C to stop both.")?;
    out.flush()?;
    signals.wait()?;
    Ok(ExitCode::SUCCESS)
}

/// From now on the signals that end a process wait for `SigSet::wait` instead. Only to be called after everything
/// was started: children inherit it. Until then such a signal ends this process, and the guards do the rest.
fn take_signals() -> anyhow::Result<SigSet> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    Ok(signals)
}
