//! How the ledger treats usage, from the environment.

use std::{path::PathBuf, time::Duration};

use kit::{
    Env,
    config::{Millis, Value},
};

/// When a call's usage is durable, as seen from the end of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Within a fifth of a second; nobody waits. `kill -9` can lose what was not written yet.
    #[default]
    Async,
    /// When the answer ends: its end waits for the transaction of a batch.
    Batch,
    /// The same, each record in a transaction of its own.
    Sync,
}

impl Value for Durability {
    const EXPECTED: &'static str = "async, batch or sync";

    fn parse(raw: &str) -> Result<Self, String> {
        match raw.trim() {
            "async" => Ok(Self::Async),
            "batch" => Ok(Self::Batch),
            "sync" => Ok(Self::Sync),
            _ => Err(Self::EXPECTED.to_owned()),
        }
    }

    fn placeholder() -> Self {
        Self::default()
    }
}

/// How the ledger works.
#[derive(Clone, Debug)]
pub struct Settings {
    pub durability: Durability,
    /// Where usage waits while the database is away. Without it, it waits in memory.
    pub spool_dir: Option<PathBuf>,
    /// The most that waits there, in bytes.
    pub spool_max_bytes: u64,
    /// How long a replica may admit calls from its slices without having reached the database.
    pub lease_life: Duration,
    /// A slice that nobody needed for so long goes back.
    pub lease_idle: Duration,
    /// How long quotas and teams are believed before they are read again.
    pub definitions_life: Duration,
    /// How long a window that was found used up is believed to be so.
    pub refusal_life: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            spool_dir: None,
            spool_max_bytes: 1 << 30,
            lease_life: Duration::from_mins(2),
            lease_idle: Duration::from_secs(10),
            definitions_life: Duration::from_secs(30),
            refusal_life: Duration::from_secs(1),
        }
    }
}

impl kit::Settings for Settings {
    fn read(env: &mut Env) -> Self {
        let default = Self::default();
        let settings = Self {
            durability: env.or(
                "BRAINOPS_AI_USAGE_DURABILITY",
                "When a call's usage is durable: `async` within 200 ms of its end, `batch` when its answer ends, `sync` the same in a transaction of its own.",
                "async",
            ),
            spool_dir: env.optional(
                "BRAINOPS_AI_SPOOL_DIR",
                "Directory in which usage waits while the database is away, also over a restart. Without it, usage waits in memory.",
            ),
            spool_max_bytes: env.or(
                "BRAINOPS_AI_SPOOL_MAX_BYTES",
                "The most that waits in that directory, in bytes; a call takes about 1 KB.",
                "1073741824",
            ),
            lease_life: env
                .or::<Millis>(
                    "BRAINOPS_AI_QUOTA_LEASE_MS",
                    "How long a replica may admit calls from the slices of quotas that it holds while the database is away; also when the slices of a replica that died go back.",
                    "120000",
                )
                .0,
            ..default
        };
        if settings.lease_life < SHORTEST_LEASE {
            env.refuse("BRAINOPS_AI_QUOTA_LEASE_MS", settings.lease_life.as_millis().to_string(), "5000 or more");
        }
        settings
    }
}

/// Less would go into renewing.
const SHORTEST_LEASE: Duration = Duration::from_secs(5);
