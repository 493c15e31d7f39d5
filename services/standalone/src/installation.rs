//! One installation on one machine: its servers, its secrets, and the environment that each service gets from them.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use db::Passwords;
use kit::{Env, Environment, RandomIds, Secret, Settings as _, config::TelemetrySettings};
use url::Url;

use crate::{
    cli::Place,
    infra::Infra,
    local_models::Model,
    secrets::Secrets,
    services::{Need, Part, SERVICES, stateful_services},
};

/// An installation whose servers run.
pub struct Installation {
    pub infra: Infra,
    secrets: Secrets,
    /// The variables of the local models; empty when inference has nothing to serve.
    models: Vec<Model>,
    missing_models: Vec<Model>,
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
        let (models, missing_models) =
            place.local_models.look(&given, place.models.as_deref().unwrap_or(&data.join("models")));
        let infra = Infra::start(&place).await?;
        Ok(Self { infra, secrets, models, missing_models, data, http: place.http, given })
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

    /// The environment of a service: what the process was given, on top of it what belongs to this installation, and on top
    /// of that what is `known` by now.
    pub fn environment(&mut self, part: &Part, known: &[(impl AsRef<str>, String)]) -> anyhow::Result<Env> {
        let mut values = self.given.clone();
        let mut set = |name: &str, value: String| values.insert(name.to_owned(), value);
        set("BRAINOPS_HTTP_ADDR", "127.0.0.1:0".to_owned());
        set("BRAINOPS_PRIVATE_ADDR", "127.0.0.1:0".to_owned());
        set("BRAINOPS_HTTP_WORKERS", "1".to_owned());
        set("BRAINOPS_AMQP_URL", self.infra.amqp.clone());
        set("BRAINOPS_ISSUER", self.public_url());
        if part.migrations.is_some() {
            for (name, role, password) in [
                ("BRAINOPS_DATABASE_URL", db::roles::app(part.name), "app_password"),
                ("BRAINOPS_MIGRATE_DATABASE_URL", db::roles::owner(part.name), "owner_password"),
            ] {
                let password = self.secret_of(part, password)?;
                set(name, as_role(&self.infra.database, &role, &password)?.into());
            }
            set("BRAINOPS_CURSOR_SECRET", self.secret_of(part, "cursor_secret")?);
        }
        for need in part.needs {
            for (name, value) in self.meet(part, *need)? {
                set(name, value);
            }
        }
        for (name, value) in known {
            set(name.as_ref(), value.clone());
        }
        Ok(Env::from_map(values))
    }

    /// The variables for what only some services are given.
    fn meet(&mut self, part: &Part, need: Need) -> anyhow::Result<Vec<(&'static str, String)>> {
        Ok(match need {
            Need::ClientSecret => vec![("BRAINOPS_CLIENT_SECRET", self.secret_of(part, "client_secret")?)],
            Need::AuthClients => {
                let callers = SERVICES.iter().filter(|part| part.needs.contains(&Need::ClientSecret));
                let clients =
                    callers.map(|part| Ok(format!("{}:{}", part.name, self.secret_of(part, "client_secret")?)));
                vec![("BRAINOPS_AUTH_CLIENTS", clients.collect::<anyhow::Result<Vec<_>>>()?.join(","))]
            }
            Need::TokenPepper => vec![("BRAINOPS_TOKEN_PEPPER", self.secret_of(part, "token_pepper")?)],
            Need::MasterKeys => {
                vec![("BRAINOPS_MASTER_KEYS", format!("local-1:{}", self.secret_of(part, "master_key")?))]
            }
            Need::UsageSpool => vec![("BRAINOPS_AI_SPOOL_DIR", self.data.join("ai-spool").display().to_string())],
            Need::Vectors => vec![("BRAINOPS_VECTORS_DIR", self.data.join("vectors").display().to_string())],
            Need::LocalModels => self.models.clone(),
            Need::LocalModelsKey if self.models.is_empty() => Vec::new(),
            Need::LocalModelsKey => {
                let key = self.secret("inference.api_key")?;
                vec![("BRAINOPS_INFERENCE_API_KEY", key.clone()), ("BRAINOPS_LOCAL_INFERENCE_KEY", key)]
            }
        })
    }

    fn secret_of(&mut self, part: &Part, name: &str) -> anyhow::Result<String> {
        self.secret(&format!("{}.{name}", part.name))
    }

    /// Whether there are local models to serve.
    pub fn offers_local_models(&self) -> bool {
        !self.models.is_empty()
    }

    /// Where local models are wanted and not there.
    pub fn missing_models(&self) -> impl Iterator<Item = &str> {
        self.missing_models.iter().map(|(_, path)| path.as_str())
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
