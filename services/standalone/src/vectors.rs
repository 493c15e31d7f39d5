//! `brainops vectors`: the index by which memory finds what is alike.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Subcommand;
use db::Db;
use kit::{Core, Service as _};
use localinfra::Postgres;
use memory::{
    Memory, Rebuilds,
    domain::rebuild::{Rebuild, RebuildState},
};
use tokio::time::{Instant, sleep};

use crate::{infra::DATABASE, progress::say};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Subcommand)]
pub enum Command {
    /// Make the index of vectors again from the database; searches are answered from the one that is there until then
    Rebuild {
        /// Show how far it is, and end when it is over: with 1 when it failed
        #[arg(long)]
        wait: bool,
        /// Seconds after which nobody seems to take the request up
        #[arg(long, default_value_t = 30, requires = "wait")]
        patience: u64,
        #[command(flatten)]
        place: Where,
    },
}

/// Where the database is.
#[derive(clap::Args)]
pub struct Where {
    /// Data directory of a running `brainops up`
    #[arg(long, env = "BRAINOPS_DATA_DIR", default_value = ".brainops")]
    data: PathBuf,
    /// URL of the database as a superuser or as memory's app role; that of the data directory's private one when absent
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Rebuild { wait, patience, place } = command;
    let settings = db::Settings::new(place.url()?, NonZeroUsize::MIN);
    let rebuilds = Rebuilds::new(Db::open(&settings, Memory::NAME, &Core::outside("brainops"))?);
    let asked = rebuilds.request().await?;
    if asked.state == RebuildState::Running {
        say(format_args!("Rebuild {} is under way already.", asked.id));
    } else {
        say(format_args!("Rebuild {} is asked for.", asked.id));
    }
    if wait { ended(&rebuilds, asked, Duration::from_secs(patience)).await } else { Ok(()) }
}

async fn ended(rebuilds: &Rebuilds, mut known: Rebuild, patience: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let now = rebuilds.find(known.id).await?.context("the request is gone from the database")?;
        let Rebuild { id, state, vectors_done, vectors_total, error } = &now;
        match state {
            RebuildState::Waiting if begun.elapsed() > patience => anyhow::bail!(
                "nobody has taken rebuild {id} up: does memory run, and does it embed? It is done when one that does is there."
            ),
            RebuildState::Waiting => {}
            RebuildState::Running if now == known => {}
            RebuildState::Running if vectors_done >= vectors_total => {
                say(format_args!("{vectors_done} vectors are copied; graphs are built."));
            }
            RebuildState::Running => say(format_args!("{vectors_done} of {vectors_total} vectors")),
            RebuildState::Done => {
                say(format_args!("Done: {vectors_done} vectors; the new index answers."));
                return Ok(());
            }
            RebuildState::Failed => {
                let why = error.as_deref().unwrap_or("no reason was noted");
                anyhow::bail!("rebuild {id} failed, and the index is as it was: {why}");
            }
        }
        known = now;
        sleep(LOOK).await;
    }
}

impl Where {
    fn url(&self) -> anyhow::Result<String> {
        let private = || Postgres::url_of(self.data.join("postgres"), DATABASE);
        self.database.clone().or_else(private).with_context(|| {
            let data = self.data.display();
            format!("{data} has no database; start one with `brainops up`, or say where it is with --database")
        })
    }
}
