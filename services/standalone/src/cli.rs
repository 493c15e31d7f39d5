//! The command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use kit::Env;

use crate::{configuration, dlq, doctor, local_models::LocalModels, migrate, openapi, tail, up, vectors};

/// Where the gateway listens unless it is told otherwise.
pub const DEFAULT_HTTP: &str = "127.0.0.1:8080";

/// BrainOps on one machine: everything in one process, and the tools to look after it.
#[derive(Parser)]
#[command(name = "brainops", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything: private PostgreSQL and RabbitMQ (unless given), all services, the gateway
    Up(Place),
    /// Check prerequisites, configuration, connections, migrations and keys; every finding says how to mend it
    Doctor(Place),
    /// Bring every service's schema up and end
    Migrate(Place),
    /// Read events as they happen
    #[command(subcommand)]
    Events(tail::Command),
    /// Look after messages that no consumer could handle
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Look after the index of vectors
    #[command(subcommand)]
    Vectors(vectors::Command),
    /// Print the OpenAPI document of a service, or of the whole gateway
    Openapi {
        /// auth, users, ai, memory, inference or gateway; all that is behind the gateway, merged, when absent
        service: Option<String>,
    },
    /// Print docs/configuration.md: every variable of every service
    Configuration,
}

/// Where this installation lives.
#[derive(clap::Args, Clone)]
pub struct Place {
    /// Data of the private servers, secrets, mails; made when missing
    #[arg(long, env = "BRAINOPS_DATA_DIR", default_value = ".brainops")]
    pub data: PathBuf,
    /// Where the gateway listens
    #[arg(long, env = "BRAINOPS_HTTP_ADDR", default_value = DEFAULT_HTTP)]
    pub http: SocketAddr,
    /// Superuser URL of an existing PostgreSQL; private server when absent
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
    /// URL of an existing RabbitMQ; private server when absent
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub amqp: Option<String>,
    /// Local models; auto: the chat model when no provider is configured, the embedding model when memory has no other server
    #[arg(long, env = "BRAINOPS_LOCAL_MODELS", value_enum, default_value = "auto")]
    pub local_models: LocalModels,
    /// Where scripts/fetch-models.sh has put the local models; `models` in the data directory when absent
    #[arg(long, env = "BRAINOPS_MODELS_DIR")]
    pub models: Option<PathBuf>,
}

pub fn main() -> ExitCode {
    kit::tls::install();
    kit::telemetry::log_panics();
    let given = Env::from_process();
    let cli = Cli::from_arg_matches(&with_defaults(Cli::command(), &given).get_matches());
    // A mistake in `.env` stops here, not at the service that misses the line.
    let cli = match given.finish().map_err(anyhow::Error::from).and_then(|()| Ok(cli?)) {
        Ok(cli) => cli,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::from(error)),
    };
    let done = runtime.block_on(run(cli.command));
    kit::telemetry::flush();
    match done {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// An option that has a variable takes it from `.env`, too: clap knows the process environment only. What stands on the
/// command line or in the environment comes first.
fn with_defaults(command: clap::Command, given: &Env) -> clap::Command {
    let value = |name: &std::ffi::OsStr| given.values().get(name.to_str()?).filter(|value| !value.is_empty()).cloned();
    command
        .mut_args(|arg| match arg.get_env().and_then(value) {
            // clap keeps references; this happens once in the life of the process.
            Some(value) => arg.default_value(&*value.leak()),
            None => arg,
        })
        .mut_subcommands(|sub| with_defaults(sub, given))
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(place) => up::up(place).await?,
        Command::Doctor(place) => return doctor::doctor(place).await,
        Command::Migrate(place) => migrate::migrate(place).await?,
        Command::Events(command) => tail::run(command).await?,
        Command::Dlq(command) => dlq::run(command).await?,
        Command::Vectors(command) => vectors::run(command).await?,
        Command::Openapi { service } => openapi::print(service.as_deref())?,
        Command::Configuration => configuration::print(&Cli::command()),
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("brainops: {error:#}");
    ExitCode::FAILURE
}
