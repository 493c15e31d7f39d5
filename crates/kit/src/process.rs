//! The entry point of every service binary: `serve | migrate | openapi | error-codes | configuration`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Env, Environment, Settings, TelemetrySettings};
use crate::service::{Ports, Service};
use crate::{telemetry, tls};

/// A BrainOps service.
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Clone, Copy)]
enum Command {
    /// Run the service until SIGTERM or SIGINT (the default).
    Serve,
    /// Bring the service's database schema up, then exit.
    Migrate,
    /// Print the OpenAPI document as JSON.
    Openapi,
    /// Print every error code as JSON: code, status, title.
    ErrorCodes,
    /// Print every environment variable the service reads, as a Markdown table.
    Configuration,
}

/// Runs service `S` as this process. The exit code is 0 after an orderly end, 1 after a failure, 2 for wrong arguments.
pub fn main<S: Service>() -> ExitCode {
    main_from::<S>(std::env::args_os())
}

/// [`main`] with arguments of its own, the program's name first.
pub fn main_from<S: Service>(args: impl IntoIterator<Item: Into<OsString> + Clone>) -> ExitCode {
    tls::install();
    let command = match Cli::try_parse_from(args) {
        Ok(cli) => cli.command.unwrap_or(Command::Serve),
        Err(usage) => {
            // Help and version come this way too, with code 0. Nothing is left to do when it cannot be printed.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let done = match command {
        Command::Serve => run::<S>(serve::<S>()),
        Command::Migrate => run::<S>(migrate::<S>()),
        Command::Openapi => S::openapi().to_pretty_json().map_err(Into::into).inspect_err(complain::<S>).map(print),
        Command::ErrorCodes => error_codes::<S>().inspect_err(complain::<S>).map(print),
        Command::Configuration => {
            print(config::table(&[(S::NAME, config::describe::<S>())]));
            Ok(())
        }
    };
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs `work` to its end, tells of its failure, and sends the last traces and reports while the runtime still lives.
fn run<S: Service>(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work).inspect_err(complain::<S>);
    telemetry::flush();
    // What ignored its token has had its time.
    runtime.shutdown_background();
    done
}

async fn serve<S: Service>() -> anyhow::Result<()> {
    telemetry::log_panics();
    let mut signals = Signals::new()?;
    let mut started = tokio::select! {
        started = crate::start::<S>(Env::from_process(), Ports::real()) => started?,
        signal = signals.next() => {
            tracing::info!(signal, "The start was given up");
            return Ok(());
        }
    };
    let failure = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "The service is leaving; a second signal ends it at once");
            None
        }
        failure = started.failed() => Some(failure),
    };
    tokio::select! {
        _ = started.stop() => {}
        signal = signals.next() => {
            tracing::warn!(signal, "The service was ended at once");
            // Whatever still runs would hold up an ordinary return.
            std::process::exit(1);
        }
    }
    failure.map_or(Ok(()), Err)
}

async fn migrate<S: Service>() -> anyhow::Result<()> {
    let mut env = Env::from_process();
    let environment = Environment::read(&mut env);
    let settings = TelemetrySettings::read(&mut env);
    let config = S::Config::read(&mut env);
    env.finish()?;
    telemetry::init(&settings, S::NAME, environment);
    S::migrate(config).await
}

fn error_codes<S: Service>() -> anyhow::Result<String> {
    let codes: Vec<_> = S::error_codes()
        .iter()
        .map(|code| serde_json::json!({ "code": code.code, "status": code.status, "title": code.title }))
        .collect();
    Ok(serde_json::to_string_pretty(&codes)?)
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[expect(clippy::print_stdout, reason = "what these commands are for")]
fn print(text: impl AsRef<str>) {
    println!("{}", text.as_ref().trim_end());
}

/// The last word of a process that failed: a log line when there is a log, plain text before that.
#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn complain<S: Service>(error: &anyhow::Error) {
    if telemetry::is_up() {
        tracing::error!(service = S::NAME, error = format!("{error:#}"), "The process ends because of an error");
    } else {
        eprintln!("{}: {error:#}", S::NAME);
    }
}
