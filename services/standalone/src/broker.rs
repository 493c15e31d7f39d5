//! A handle on an installation's broker for the tools that look at it from outside.

use std::path::Path;

use anyhow::Context as _;
use events::{Broker, Settings};
use kit::{Core, Secret};

/// Where the broker is.
#[derive(clap::Args)]
pub struct Where {
    /// Data directory of a running `brainops up`
    #[arg(long, env = "BRAINOPS_DATA_DIR", default_value = ".brainops")]
    data: std::path::PathBuf,
    /// URL of the broker; that of the data directory's private one when absent
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    amqp: Option<String>,
    /// Prefix of exchange and queue names
    #[arg(long, env = "BRAINOPS_AMQP_NAMESPACE", default_value = "")]
    namespace: String,
}

impl Where {
    pub fn broker(&self) -> anyhow::Result<Broker> {
        open(&self.url()?, &self.namespace)
    }

    /// The broker's address, with its password.
    pub fn url(&self) -> anyhow::Result<String> {
        match &self.amqp {
            Some(url) => Ok(url.clone()),
            None => private(&self.data),
        }
    }
}

/// A handle on the broker at `url`.
pub fn open(url: &str, namespace: &str) -> anyhow::Result<Broker> {
    let settings = Settings { url: Secret::new(url.to_owned()), namespace: namespace.to_owned() };
    Ok(Broker::open(&settings, &Core::outside("brainops"))?)
}

fn private(data: &Path) -> anyhow::Result<String> {
    localinfra::Rabbit::url_of(data.join("rabbitmq")).with_context(|| {
        format!("{} has no broker; start one with `brainops up`, or say where it is with --amqp", data.display())
    })
}
