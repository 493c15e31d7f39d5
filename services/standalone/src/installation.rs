//! One installation on one machine: its servers, its secrets, and the environment that each service gets from them.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use db::Passwords;
use kit::{Env, Environment, RandomIds, Secret, Settings as _, config::TelemetrySettings};
use url::Url;

use crate::{cli::Place, infra::Infra, local_models, secrets::Secrets, services::stateful_services};

/// Services that call auth with a secret of their own.
const CLIENTS: [&str; 3] = ["gateway", "users", "ai"];

/// An installation whose servers run.
pub struct Installation {
    pub infra: Infra,
    secrets: Secrets,
    /// The variables of the local models; empty when inference has nothing to serve.
    models: Vec<(&'static str, String)>,
    data: PathBuf,
    http: SocketAddr,
    given: BTreeMap<String, String>,
}

impl Installation {
    /// Makes the data directory when it is missing, and starts the servers.
    pub async fn open(place: &Place) -> anyhow::Result<Self> {
        let data = absolute(place)?;
        let place = Place { data: data.clone(), ..place.clone() };
        let secrets = Secrets::open(&data.join("secrets.json"))?;
        let given = Env::from_process().values().clone();
        check_common(&given)?;
        let models = if place.local_models.wanted(&given) {
            local_models::found(place.models.as_deref().unwrap_or(&data.join("models")))
        } else {
            Vec::new()
        };
        let infra = Infra::start(&place).await?;
        Ok(Self { infra, secrets, models, data, http: place.http, given })
    }

    /// Makes the schema and the roles of every service, with this installation's passwords.
    pub async fn provision(&mut self) -> anyhow::Result<()> {
        for schema in stateful_services().map(|part| part.name) {
            let passwords = Passwords {
                owner: Secret::new(self.secret(&format!("{schema}.owner_password"))?),
                app: Secret::new(self.secret(&format!("{schema}.app_password"))?),
            };
            db::provision(self.infra.database.as_str(), schema, &passwords)
                .await
                .with_context(|| format!("cannot make the schema and the roles of {schema}"))?;
        }
        Ok(())
    }

    /// The environment of a service: what the process was given, and on top of it what belongs to this installation.
    pub fn environment(&mut self, service: &str, known: &[(impl AsRef<str>, String)]) -> anyhow::Result<Env> {
        let mut values = self.given.clone();
        let mut set = |name: &str, value: String| values.insert(name.to_owned(), value);
        set("BRAINOPS_HTTP_ADDR", "127.0.0.1:0".to_owned());
        set("BRAINOPS_PRIVATE_ADDR", "127.0.0.1:0".to_owned());
        set("BRAINOPS_HTTP_WORKERS", "1".to_owned());
        set("BRAINOPS_AMQP_URL", self.infra.amqp.clone());
        set("BRAINOPS_ISSUER", self.public_url());
        set("BRAINOPS_CLIENT_SECRET", self.secrets.get(&format!("{service}.client_secret"), &RandomIds)?);
        if stateful_services().any(|part| part.name == service) {
            for (name, role, password) in [
                ("BRAINOPS_DATABASE_URL", db::roles::app(service), "app_password"),
                ("BRAINOPS_MIGRATE_DATABASE_URL", db::roles::owner(service), "owner_password"),
            ] {
                let password = self.secrets.get(&format!("{service}.{password}"), &RandomIds)?;
                set(name, as_role(&self.infra.database, &role, &password)?.into());
            }
            set("BRAINOPS_CURSOR_SECRET", self.secrets.get(&format!("{service}.cursor_secret"), &RandomIds)?);
        }
        if service == "auth" {
            set("BRAINOPS_TOKEN_PEPPER", self.secrets.get("auth.token_pepper", &RandomIds)?);
            let mut clients = Vec::new();
            for client in CLIENTS {
                clients.push(format!("{client}:{}", self.secrets.get(&format!("{client}.client_secret"), &RandomIds)?));
            }
            set("BRAINOPS_AUTH_CLIENTS", clients.join(","));
        }
        if service == "ai" {
            set("BRAINOPS_AI_SPOOL_DIR", self.data.join("ai-spool").display().to_string());
        }
        if service == "inference" {
            for (name, value) in &self.models {
                set(name, value.clone());
            }
        }
        if !self.models.is_empty() && ["ai", "inference"].contains(&service) {
            let key = self.secrets.get("inference.api_key", &RandomIds)?;
            set("BRAINOPS_INFERENCE_API_KEY", key.clone());
            set("BRAINOPS_LOCAL_INFERENCE_KEY", key);
        }
        if ["auth", "ai"].contains(&service) {
            let master = self.secrets.get(&format!("{service}.master_key"), &RandomIds)?;
            set("BRAINOPS_MASTER_KEYS", format!("local-1:{master}"));
        }
        for (name, value) in known {
            set(name.as_ref(), value.clone());
        }
        Ok(Env::from_map(values))
    }

    /// Whether there are local models to serve.
    pub fn offers_local_models(&self) -> bool {
        !self.models.is_empty()
    }

    /// Where clients reach the gateway.
    pub fn public_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where the gateway listens.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    fn secret(&mut self, name: &str) -> anyhow::Result<String> {
        self.secrets.get(name, &RandomIds)
    }
}

/// What every service reads, looked at before the servers are started: a mistake then costs no time.
fn check_common(given: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let mut env = Env::from_map(given.clone());
    Environment::read(&mut env);
    TelemetrySettings::read(&mut env);
    Ok(env.finish()?)
}

/// The same database as another role.
fn as_role(database: &Url, role: &str, password: &str) -> anyhow::Result<Url> {
    let mut url = database.clone();
    let set = url.set_username(role).and_then(|()| url.set_password(Some(password)));
    set.map_err(|()| anyhow::anyhow!("DATABASE_URL has no host"))?;
    Ok(url)
}

fn absolute(place: &Place) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(&place.data)
        .and_then(|()| fs::canonicalize(&place.data))
        .with_context(|| format!("cannot use {} as the data directory", place.data.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_any_base64_character_survives_the_url() {
        let admin: Url = "postgres://postgres:x@127.0.0.1:5432/brainops".parse().unwrap();
        let url = as_role(&admin, "brainops_auth_app", "a+b/c=").unwrap();
        assert_eq!(url.as_str(), "postgres://brainops_auth_app:a+b%2Fc%3D@127.0.0.1:5432/brainops");
    }
}
