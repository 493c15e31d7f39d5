//! The only place that reads the environment.

mod calls;

use std::time::Duration;

use contracts::OrgId;
use kit::{
    Env, Secret, Settings,
    config::{IdentitySettings, Millis, Value},
    seal::Keyring,
};
use url::Url;

use crate::{catalog::LOCAL, domain::provider::ProviderKind, ledger};

pub use calls::CallSettings;

#[derive(Debug)]
pub struct Config {
    pub db: db::Settings,
    pub migrate: db::MigrateSettings,
    pub events: events::Settings,
    pub identity: IdentitySettings,
    /// Seal the keys of providers.
    pub master_keys: Keyring,
    /// The organization whose admins change what belongs to the whole installation.
    pub operator: Option<OrgId>,
    /// The providers of the environment, those that `default` prefers first.
    pub built_in: Vec<BuiltIn>,
    /// How long models are believed without asking the database again.
    pub catalog_fresh: Duration,
    /// Between two looks for keys that are sealed with an old master key.
    pub reseal_interval: Duration,
    pub calls: CallSettings,
    pub memory: Option<MemorySettings>,
    pub ledger: ledger::Settings,
}

/// A provider of the environment.
#[derive(Clone, Debug)]
pub struct BuiltIn {
    pub name: &'static str,
    pub kind: ProviderKind,
    pub base_url: Url,
    pub key: Option<Secret<String>>,
    /// The URL was given, so it may be another server than the vendor's.
    pub custom_url: bool,
}

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        Self {
            db: Settings::read(env),
            migrate: Settings::read(env),
            events: Settings::read(env),
            identity: Settings::read(env),
            master_keys: env.secret_of(
                "BRAINOPS_MASTER_KEYS",
                "Keys that seal secrets in the database; put a new one first to rotate.",
            ),
            operator: env
                .optional::<Organization>(
                    "BRAINOPS_OPERATOR_ORGANIZATION",
                    "Id of the organization whose admins change providers, models and quotas of the whole installation.",
                )
                .map(|organization| organization.0),
            built_in: configured_providers(env),
            catalog_fresh: env
                .or::<Millis>(
                    "BRAINOPS_AI_CATALOG_FRESH_MS",
                    "How long models are believed without asking the database again; announced changes count at once.",
                    "30000",
                )
                .0,
            reseal_interval: env
                .or::<Millis>(
                    "BRAINOPS_AI_RESEAL_INTERVAL_MS",
                    "Between two looks for keys of providers that are sealed with an old master key.",
                    "60000",
                )
                .0,
            calls: Settings::read(env),
            memory: memory(env),
            ledger: Settings::read(env),
        }
    }
}

/// Where calls recall from and turns are kept.
#[derive(Clone, Debug)]
pub struct MemorySettings {
    pub url: Url,
    /// How long a call waits for what is recalled.
    pub deadline: Duration,
}

fn memory(env: &mut Env) -> Option<MemorySettings> {
    let url = env.optional(
        "BRAINOPS_MEMORY_URL",
        "Base URL of the memory service, for calls that recall and remember. Without it they go on without memory, and say so.",
    );
    let deadline = env
        .or::<Millis>(
            "BRAINOPS_AI_RECALL_DEADLINE_MS",
            "How long a call waits for what is recalled before it goes on without.",
            "300",
        )
        .0;
    url.map(|url| MemorySettings { url, deadline })
}

/// The providers that an environment configures.
pub fn configured_providers(env: &mut Env) -> Vec<BuiltIn> {
    let vendors = [
        (
            ProviderKind::Openai,
            env.optional_secret("OPENAI_API_KEY", "Key of OpenAI, or of the server at OPENAI_BASE_URL."),
            env.optional::<Url>(
                "OPENAI_BASE_URL",
                "Another server that speaks OpenAI's protocol, with its version segment; the models that it lists can be called.",
            ),
        ),
        (
            ProviderKind::Anthropic,
            env.optional_secret("ANTHROPIC_API_KEY", "Key of Anthropic."),
            env.optional::<Url>("ANTHROPIC_BASE_URL", "Another way to Anthropic's models, with or without the version segment."),
        ),
        (
            ProviderKind::Gemini,
            env.optional_secret("GEMINI_API_KEY", "Key of Google's Gemini."),
            env.optional::<Url>("GEMINI_BASE_URL", "Another way to Gemini's models, with its version segment."),
        ),
    ];
    let mut configured: Vec<BuiltIn> = vendors
        .into_iter()
        .filter(|(_, key, url)| key.is_some() || url.is_some())
        .map(|(kind, key, url)| {
            let base_url = url.map_or_else(|| vendor_url(kind), |url| versioned(kind, url));
            let custom_url = base_url.as_str().trim_end_matches('/') != kind.vendor_url();
            BuiltIn { name: kind.as_str(), kind, base_url, key, custom_url }
        })
        .collect();
    let local: Option<Url> =
        env.optional("BRAINOPS_LOCAL_INFERENCE_URL", "Base URL of the bundled inference, which needs no account.");
    let key =
        env.optional_secret("BRAINOPS_LOCAL_INFERENCE_KEY", "The key that the bundled inference asks for, if any.");
    if let Some(url) = local {
        let kind = ProviderKind::Openai;
        configured.push(BuiltIn { name: LOCAL, kind, base_url: versioned(kind, url), key, custom_url: true });
    }
    configured
}

fn vendor_url(kind: ProviderKind) -> Url {
    kind.vendor_url().parse().unwrap_or_else(|_| Url::placeholder())
}

/// A URL without a path gets the version segment of its protocol, which people tend to leave out.
fn versioned(kind: ProviderKind, mut url: Url) -> Url {
    if url.path() == "/" {
        let version = kind.vendor_url().rsplit('/').next().unwrap_or_default();
        url.set_path(version);
    }
    url
}

/// An organization's id as a variable.
struct Organization(OrgId);

impl Value for Organization {
    const EXPECTED: &'static str = "the id of an organization";

    fn parse(raw: &str) -> Result<Self, String> {
        raw.trim().parse().map(Self).map_err(|_| Self::EXPECTED.to_owned())
    }

    fn placeholder() -> Self {
        Self(OrgId::from_uuid(uuid::Uuid::nil()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(values: &[(&str, &str)]) -> Vec<BuiltIn> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        configured_providers(&mut Env::from_map(values))
    }

    #[test]
    fn a_vendor_needs_a_key_or_a_url() {
        assert!(built_in(&[]).is_empty());
        let found = built_in(&[("ANTHROPIC_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")]);
        let seen: Vec<_> = found.iter().map(|p| (p.name, p.base_url.as_str(), p.custom_url)).collect();
        assert_eq!(
            seen,
            [("openai", "http://127.0.0.1:1/v1/", true), ("anthropic", "https://api.anthropic.com/v1", false)]
        );
    }

    #[test]
    fn a_url_without_a_path_gets_the_version() {
        let found = built_in(&[
            ("BRAINOPS_LOCAL_INFERENCE_URL", "http://127.0.0.1:2"),
            ("OPENAI_BASE_URL", "https://api.openai.com"),
        ]);
        let seen: Vec<_> = found.iter().map(|p| (p.name, p.base_url.as_str())).collect();
        assert_eq!(seen, [("openai", "https://api.openai.com/v1"), ("local", "http://127.0.0.1:2/v1")]);
    }
}
