//! `brainops doctor`: what could keep the system from running here, and how to mend it.

use std::{fmt, fs, net::TcpListener, path::Path, process::ExitCode, time::Duration};

use events::Broker;
use kit::{Env, Environment, HealthCheck as _, Settings as _};
use localinfra::{Postgres, PostgresPrograms, Rabbit, RabbitPrograms};
use tokio::net::TcpStream;
use url::Url;

use crate::{
    broker,
    cli::Place,
    progress::say,
    secrets,
    services::{Part, SERVICES, stateful_services},
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a look at one thing gave.
enum Finding {
    Good(String),
    /// Runs, but not as it should; or cannot be said now.
    Note(String, String),
    /// Keeps the system from running: what, and how to mend it.
    Bad(String, String),
}
use Finding::{Bad, Good, Note};

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Good(what) => write!(f, "  ok    {what}"),
            Note(what, mend) => write!(f, "  note  {what}\n        {mend}"),
            Bad(what, mend) => write!(f, "  BAD   {what}\n        {mend}"),
        }
    }
}

/// Looks at everything; the exit code is 1 when something keeps the system from running.
pub async fn doctor(place: Place) -> anyhow::Result<ExitCode> {
    let mut findings = programs(&place);
    findings.push(port(&place).await);
    findings.extend(files(&place.data));
    findings.extend(environment());
    findings.extend(database(&place).await);
    findings.push(message_broker(&place).await);
    for finding in &findings {
        say(format_args!("{finding}"));
    }
    let bad = findings.iter().filter(|finding| matches!(finding, Bad(..))).count();
    say(format_args!("{}", if bad == 0 { "Nothing is in the way.".to_owned() } else { format!("{bad} to mend.") }));
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn programs(place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    if place.database.is_none() {
        findings.push(match PostgresPrograms::find(None) {
            Ok(found) => Good(format!("PostgreSQL {} in {}", found.version, found.bin.display())),
            Err(error) => Bad(error.to_string(), "Or set DATABASE_URL to a server of yours.".into()),
        });
    }
    if place.amqp.is_none() {
        findings.push(match RabbitPrograms::find() {
            Ok(found) => Good(format!("RabbitMQ: {}", found.server.display())),
            Err(error) => Bad(error.to_string(), "Or set AMQP_URL to a broker of yours.".into()),
        });
    }
    findings
}

async fn port(place: &Place) -> Finding {
    if TcpListener::bind(place.http).is_ok() {
        return Good(format!("{} is free for the gateway", place.http));
    }
    if reach(&format!("http://{}", place.http)).await {
        let what = format!("something listens on {}", place.http);
        return Note(what, "Fine when that is this installation's gateway.".into());
    }
    Bad(
        format!("{} cannot be used", place.http),
        "Set BRAINOPS_HTTP_ADDR to a free address such as 127.0.0.1:8081.".into(),
    )
}

/// Whether something listens at `url`; without a port that is PostgreSQL's, unless the scheme has one.
pub async fn reach(url: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else { return false };
    let Some(host) = url.host_str() else { return false };
    let port = url.port_or_known_default().unwrap_or(5432);
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

fn files(data: &Path) -> Vec<Finding> {
    let Ok(meta) = fs::metadata(data) else {
        return vec![Note(format!("{} is not there", data.display()), "The first `brainops up` makes it.".into())];
    };
    if meta.permissions().readonly() || !meta.is_dir() {
        let mend = format!("Make it a directory that you may write to: `chmod u+w {}`.", data.display());
        return vec![Bad(format!("{} cannot be written to", data.display()), mend)];
    }
    let file = data.join("secrets.json");
    let secrets = match secrets::Secrets::open(&file) {
        Ok(_) if file.exists() => Good(format!("{} is readable by its owner only", file.display())),
        Ok(_) => Note(format!("{} is not there", file.display()), "The first `brainops up` makes it.".into()),
        Err(error) => Bad(
            format!("{error:#}"),
            "Its secrets may be known to others: after the repair, consider starting with a new data directory.".into(),
        ),
    };
    vec![secrets]
}

/// What the process environment says to each service, as far as `up` does not decide it.
fn environment() -> Vec<Finding> {
    let given = Env::from_process();
    let mut env = Env::from_map(given.values().clone());
    let production = Environment::read(&mut env) == Environment::Production;
    kit::config::TelemetrySettings::read(&mut env);
    let mut findings = vec![match env.finish() {
        Ok(()) => Good("BRAINOPS_ENVIRONMENT and telemetry settings are fine".into()),
        Err(errors) => Bad(errors.to_string(), "Correct these variables, in the environment or in .env.".into()),
    }];
    if production {
        findings.extend(SERVICES.iter().map(|part| described(part, &given)));
    }
    findings
}

/// In production each service reads everything from its own environment: key strength included.
fn described(part: &Part, given: &Env) -> Finding {
    let mut env = Env::from_map(given.values().clone());
    (part.read)(&mut env);
    match env.finish() {
        Ok(()) => Good(format!("the configuration of {} is complete and its keys are strong enough", part.name)),
        Err(errors) => Bad(
            format!("the configuration of {} does not stand:\n{errors}", part.name),
            "This concerns processes of their own; `brainops up` sets these by itself.".into(),
        ),
    }
}

async fn database(place: &Place) -> Vec<Finding> {
    let given = place.database.clone();
    let Some(url) = given.or_else(|| Postgres::url_of(place.data.join("postgres"), "brainops")) else {
        return vec![Note("no private PostgreSQL yet".into(), "The first `brainops up` makes one.".into())];
    };
    if !reach(&url).await {
        return vec![if place.database.is_some() {
            Bad("PostgreSQL at DATABASE_URL does not answer".into(), "Start it, or correct the URL.".into())
        } else {
            Note("the private PostgreSQL is not running".into(), "`brainops up` starts it.".into())
        }];
    }
    let mut findings = Vec::new();
    for part in stateful_services() {
        let (schema, Some(migrations)) = (part.name, part.migrations) else { continue };
        findings.push(match db::pending_migrations(&url, schema, migrations()).await {
            Ok(pending) if pending.is_empty() => Good(format!("schema {schema} is up to date")),
            Ok(pending) => {
                Bad(format!("schema {schema} lacks {}", pending.join(", ")), "Run `brainops migrate`.".into())
            }
            Err(error) => Note(format!("schema {schema} cannot be read: {error}"), "Run `brainops migrate`.".into()),
        });
    }
    findings
}

async fn message_broker(place: &Place) -> Finding {
    let Some(url) = place.amqp.clone().or_else(|| Rabbit::url_of(place.data.join("rabbitmq"))) else {
        return Note("no private RabbitMQ yet".into(), "The first `brainops up` makes one.".into());
    };
    let checked = async {
        let broker: Broker = broker::open(&url, "")?;
        broker.check().await.map_err(anyhow::Error::msg)
    };
    match (checked.await, place.amqp.is_some()) {
        (Ok(()), _) => Good("RabbitMQ answers".into()),
        (Err(error), true) => Bad(format!("RabbitMQ at AMQP_URL: {error:#}"), "Start it, or correct the URL.".into()),
        (Err(_), false) => Note("the private RabbitMQ is not running".into(), "`brainops up` starts it.".into()),
    }
}
