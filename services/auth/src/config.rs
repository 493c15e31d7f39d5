//! The only place that reads the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use kit::{
    Env, Environment, Secret, Settings,
    config::{IdentitySettings, Millis, Value},
    seal::Keyring,
};

use crate::domain::{
    attempts::{Limit, Limits},
    signing_key::Schedule,
};

#[derive(Clone, Debug)]
pub struct Config {
    pub db: db::Settings,
    pub broker: events::Settings,
    pub identity: IdentitySettings,
    /// The role that owns the schema; only `migrate` needs it.
    pub migrate: db::MigrateSettings,
    /// Seal signing keys and successors of refresh tokens.
    pub master_keys: Keyring,
    /// What tokens and counters are hashed with.
    pub pepper: Secret<String>,
    /// The services that may call others, and their secrets.
    pub clients: Clients,
    pub hashing: HashingSettings,
    pub limits: Limits,
    pub schedule: Schedule,
    /// Between two looks at the signing keys.
    pub key_interval: Duration,
    /// Between two sweeps of what has expired.
    pub sweep_interval: Duration,
    /// Between two writes of when API keys were last used.
    pub key_use_interval: Duration,
}

/// How much of the machine password hashing may take.
#[derive(Clone, Copy, Debug)]
pub struct HashingSettings {
    /// Hashes at the same time.
    pub concurrency: usize,
    /// How long a request waits for its turn.
    pub max_wait: Duration,
}

/// Shorter secrets are refused in production.
const MIN_SECRET_CHARS: usize = 32;

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        let config = Self {
            db: Settings::read(env),
            broker: Settings::read(env),
            identity: Settings::read(env),
            migrate: Settings::read(env),
            master_keys: env.secret_of(
                "BRAINOPS_MASTER_KEYS",
                "Keys that seal secrets in the database; put a new one first to rotate.",
            ),
            pepper: env.secret(
                "BRAINOPS_TOKEN_PEPPER",
                "Key of the hashes of refresh tokens and API keys: 32 or more random characters. Another value signs everybody out and ends every API key.",
            ),
            clients: env.secret_of(
                "BRAINOPS_AUTH_CLIENTS",
                "The services and their secrets as `gateway:secret,users:secret`; each has its own as BRAINOPS_CLIENT_SECRET.",
            ),
            hashing: read_hashing(env),
            limits: read_limits(env),
            schedule: read_schedule(env),
            key_interval: millis(env, "BRAINOPS_AUTH_KEY_INTERVAL_MS", "Between two looks at the signing keys.", "15000"),
            sweep_interval: millis(env, "BRAINOPS_AUTH_SWEEP_INTERVAL_MS", "Between two sweeps of what has expired.", "60000"),
            key_use_interval: millis(
                env,
                "BRAINOPS_AUTH_API_KEY_USE_INTERVAL_MS",
                "Between two writes of when API keys were last used.",
                "60000",
            ),
        };
        refuse_weak_secrets(&config, env);
        config
    }
}

fn refuse_weak_secrets(config: &Config, env: &mut Env) {
    if Environment::read(env) != Environment::Production {
        return;
    }
    let expected = format!("{MIN_SECRET_CHARS} or more random characters");
    if config.pepper.expose().len() < MIN_SECRET_CHARS {
        env.refuse("BRAINOPS_TOKEN_PEPPER", "a value that is too short (not shown)", &expected);
    }
    for (name, secret) in &config.clients.0 {
        if secret.expose().len() < MIN_SECRET_CHARS {
            env.refuse("BRAINOPS_AUTH_CLIENTS", format!("a secret of {name} that is too short (not shown)"), &expected);
        }
    }
}

fn read_hashing(env: &mut Env) -> HashingSettings {
    let concurrency: std::num::NonZeroUsize = env.or(
        "BRAINOPS_AUTH_HASH_CONCURRENCY",
        "Password hashes at the same time; each takes a core for some 20 ms, and 19 MiB.",
        "2",
    );
    let max_wait = millis(
        env,
        "BRAINOPS_AUTH_HASH_WAIT_MS",
        "How long a request waits to hash before it is answered 503.",
        "3000",
    );
    HashingSettings { concurrency: concurrency.get(), max_wait }
}

fn read_limits(env: &mut Env) -> Limits {
    const QUARTER: TimeDelta = TimeDelta::minutes(15);
    let mut limit = |name, help, default, window| {
        let attempts: u32 = env.or(name, help, default);
        if attempts == 0 {
            env.refuse(name, "0", "a whole number, 1 or more");
        }
        Limit { attempts: attempts.into(), window }
    };
    Limits {
        account_from_source: limit(
            "BRAINOPS_AUTH_LOGIN_LIMIT",
            "Attempts at one account from one source address in 15 minutes.",
            "10",
            QUARTER,
        ),
        account: limit(
            "BRAINOPS_AUTH_LOGIN_ACCOUNT_LIMIT",
            "Attempts at one account from anywhere in 15 minutes.",
            "200",
            QUARTER,
        ),
        source: limit(
            "BRAINOPS_AUTH_LOGIN_SOURCE_LIMIT",
            "Failed attempts from one source address in 15 minutes, whatever the account.",
            "100",
            QUARTER,
        ),
        registration: limit(
            "BRAINOPS_AUTH_REGISTER_LIMIT",
            "Registrations from one source address in an hour, refused ones included.",
            "30",
            TimeDelta::hours(1),
        ),
    }
}

fn read_schedule(env: &mut Env) -> Schedule {
    let mut minutes = |name, help, default| {
        let minutes: u32 = env.or(name, help, default);
        TimeDelta::minutes(minutes.into())
    };
    let period = minutes("BRAINOPS_AUTH_KEY_PERIOD_MINUTES", "How long a key signs before the next one does.", "43200");
    let lead = minutes("BRAINOPS_AUTH_KEY_LEAD_MINUTES", "How long a key is published before it signs.", "60");
    // Verifiers keep a key set for five minutes.
    if lead < TimeDelta::minutes(10) {
        env.refuse("BRAINOPS_AUTH_KEY_LEAD_MINUTES", lead.num_minutes().to_string(), "10 or more");
    }
    if period < lead * 2 {
        env.refuse("BRAINOPS_AUTH_KEY_PERIOD_MINUTES", period.num_minutes().to_string(), "twice the lead or more");
    }
    Schedule { period, lead }
}

fn millis(env: &mut Env, name: &'static str, help: &'static str, default: &'static str) -> Duration {
    env.or::<Millis>(name, help, default).0
}

/// Client secrets by service name.
#[derive(Clone, Default)]
pub struct Clients(BTreeMap<String, Secret<String>>);

impl Clients {
    /// Whether a client has this secret. Takes the same time wherever the two differ, and whether or not there is such a
    /// client.
    pub fn knows(&self, name: &str, secret: &str) -> bool {
        let expected = self.0.get(name).map_or("", |secret| secret.expose().as_str());
        // Comparing two hashes of blake3 takes the same time wherever they differ.
        let equal = blake3::hash(expected.as_bytes()) == blake3::hash(secret.as_bytes());
        equal && self.0.contains_key(name)
    }

    /// Whether there is a service of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Value for Clients {
    const EXPECTED: &'static str = "services as name:secret,name2:secret2";

    fn parse(raw: &str) -> Result<Self, String> {
        let mut clients = BTreeMap::new();
        for (at, entry) in raw.split(',').map(str::trim).enumerate() {
            let pair = entry.split_once(':').filter(|(name, secret)| is_name(name) && !secret.is_empty());
            let (name, secret) = pair.ok_or_else(|| format!("{}, which entry {} is not", Self::EXPECTED, at + 1))?;
            if clients.insert(name.to_owned(), Secret::new(secret.to_owned())).is_some() {
                return Err(format!("each service once; {name} is there twice"));
            }
        }
        Ok(Self(clients))
    }

    fn placeholder() -> Self {
        Self::default()
    }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_name_and_secret() {
        let clients = Clients::parse("gateway:one:with:colons, users:two").unwrap();
        assert!(clients.knows("gateway", "one:with:colons") && clients.knows("users", "two"));
        for (name, secret) in [("gateway", "two"), ("nobody", ""), ("nobody", "two"), ("users", "")] {
            assert!(!clients.knows(name, secret), "{name} {secret}");
        }
        assert_eq!(format!("{clients:?}"), r#"{"gateway", "users"}"#);
    }

    #[test]
    fn a_malformed_list_is_refused_without_showing_a_secret() {
        for bad in ["gateway", "gateway:", ":hunter2", "Gate way:hunter2", "a:hunter2,a:hunter2", "a:hunter2,"] {
            let message = Clients::parse(bad).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
