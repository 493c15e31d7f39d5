//! PostgreSQL and RabbitMQ of an installation: given by URL, or private ones in its data directory.

use std::{path::Path, time::Instant};

use anyhow::Context as _;
use kit::HealthCheck as _;
use localinfra::{Postgres, PostgresOptions, Rabbit};
use tokio::task::spawn_blocking;
use url::Url;

use crate::{broker, cli::Place, doctor, progress::say};

/// Database of the installation inside a private server.
pub const DATABASE: &str = "brainops";

/// Servers that run as long as this value is held.
pub struct Infra {
    /// Superuser's URL of the installation's database.
    pub database: Url,
    /// URL of the broker.
    pub amqp: String,
    postgres: Option<Postgres>,
    rabbit: Option<Rabbit>,
}

impl Infra {
    /// Starts what is not given, both at the same time.
    pub async fn start(place: &Place) -> anyhow::Result<Self> {
        let postgres = async {
            match &place.database {
                Some(url) => Ok((given_postgres(url).await?, None)),
                None => private_postgres(&place.data).await,
            }
        };
        let rabbit = async {
            match &place.amqp {
                Some(url) => Ok((given_rabbit(url).await?, None)),
                None => private_rabbit(&place.data).await,
            }
        };
        let ((database, postgres), (amqp, rabbit)) = tokio::try_join!(postgres, rabbit)?;
        Ok(Self { database, amqp, postgres, rabbit })
    }

    /// Stops the private servers in good order.
    pub async fn stop(self) {
        let Self { postgres, rabbit, .. } = self;
        let stopping = spawn_blocking(move || {
            drop(rabbit);
            drop(postgres);
        });
        if stopping.await.is_err() {
            tracing::warn!("A private server did not stop in good order");
        }
    }
}

/// Services wait for a server that is away. Somebody who starts the system by hand would wait with them, for an address that
/// may be wrong.
async fn given_postgres(url: &str) -> anyhow::Result<Url> {
    // The parser's message does not quote the URL, which holds a password.
    let parsed = url.parse().context("DATABASE_URL is not a URL")?;
    anyhow::ensure!(
        doctor::reach(url).await,
        "PostgreSQL at DATABASE_URL does not answer; start it, or correct the URL"
    );
    Ok(parsed)
}

async fn given_rabbit(url: &str) -> anyhow::Result<String> {
    let broker = broker::open(url, "").context("AMQP_URL is wrong")?;
    let checked = broker.check().await.map_err(anyhow::Error::msg);
    checked.context("RabbitMQ at AMQP_URL cannot be used; start it, or correct the URL")?;
    Ok(url.to_owned())
}

async fn private_postgres(data: &Path) -> anyhow::Result<(Url, Option<Postgres>)> {
    let begun = Instant::now();
    let dir = data.join("postgres");
    let postgres = spawn_blocking(move || Postgres::start(dir, PostgresOptions::durable())).await??;
    db::ensure_database(&postgres.admin_url(), DATABASE).await?;
    say(format_args!("PostgreSQL on port {} ({:.1?})", postgres.port(), begun.elapsed()));
    Ok((postgres.url(DATABASE, "postgres").parse()?, Some(postgres)))
}

async fn private_rabbit(data: &Path) -> anyhow::Result<(String, Option<Rabbit>)> {
    let begun = Instant::now();
    let dir = data.join("rabbitmq");
    let rabbit = spawn_blocking(move || Rabbit::start(dir)).await??;
    say(format_args!("RabbitMQ on port {} ({:.1?})", rabbit.port(), begun.elapsed()));
    Ok((rabbit.amqp_url(), Some(rabbit)))
}
