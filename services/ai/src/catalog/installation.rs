//! What the environment gives to every organization: providers with their keys, and the models that they have. None of it
//! is written to the database, so it follows the environment at every start; what an operator changed over the API lies on
//! top of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contracts::{ModelId, ProviderId, RouteId};
use uuid::{Builder, Uuid};

use super::well_known::{self, WellKnown};
use crate::{
    config::BuiltIn,
    domain::{
        definition::{Definition, ProviderRef, RouteRecord},
        model::{Access, Capability, ModelRecord, ModelSource},
        money::Prices,
        provider::{KeptKey, Provider, ProviderKind, ProviderRecord, ProviderSource, hint},
    },
};

/// The name of the bundled inference.
pub const LOCAL: &str = "local";

/// When everything of the environment was made, as far as lists are concerned: before all else.
const BEGINNING: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// What the bundled inference serves unless it is told otherwise: its name for the model, which is ours as well, and the
/// tokens that fit.
const LOCAL_CHAT: (&str, u32) = ("local-chat", 4_096);
const LOCAL_EMBEDDING: (&str, u32) = ("local-embedding", 256);

/// What is assumed of a model that a server lists and nobody knows. A server with less room says so itself.
const UNKNOWN_CONTEXT: u32 = 32_768;
const UNKNOWN_CHAT: &[Capability] = &[
    Capability::Chat,
    Capability::Streaming,
    Capability::Tools,
    Capability::ParallelToolCalls,
    Capability::Vision,
    Capability::JsonObject,
    Capability::JsonSchema,
    Capability::Logprobs,
];
/// The bundled models are small: no tools, no images.
const LOCAL_CAPABILITIES: &[Capability] =
    &[Capability::Chat, Capability::Streaming, Capability::JsonObject, Capability::JsonSchema];

/// The providers of the environment, in the order in which `default` prefers them.
#[derive(Debug)]
pub struct Installation {
    providers: Vec<BuiltInProvider>,
}

#[derive(Debug)]
pub struct BuiltInProvider {
    pub provider: Arc<Provider>,
    pub offers: Offers,
}

/// Which models a provider of the environment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    /// The vendor's, or a gateway's to the vendor: those of [`well_known`].
    WellKnown,
    /// Another server that speaks OpenAI's protocol: what it lists.
    Listed,
    /// The bundled inference: one for chat and one for embeddings.
    Local,
}

impl Installation {
    pub fn new(configured: Vec<BuiltIn>) -> Self {
        let providers = configured.into_iter().map(|built_in| {
            let offers = match built_in.kind {
                _ if built_in.name == LOCAL => Offers::Local,
                ProviderKind::Openai if built_in.custom_url => Offers::Listed,
                _ => Offers::WellKnown,
            };
            let provider = Provider {
                id: provider_id(built_in.name),
                org: None,
                name: built_in.name.to_owned(),
                kind: built_in.kind,
                base_url: built_in.base_url,
                key: built_in.key,
                trusted: true,
            };
            BuiltInProvider { provider: Arc::new(provider), offers }
        });
        Self { providers: providers.collect() }
    }

    pub fn providers(&self) -> &[BuiltInProvider] {
        &self.providers
    }

    /// The provider of this id.
    pub fn with_id(&self, id: ProviderId) -> Option<&Arc<Provider>> {
        self.providers.iter().map(|built_in| &built_in.provider).find(|provider| provider.id == id)
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().map(|built_in| &built_in.provider).find(|provider| provider.name == name)
    }

    /// As they are shown; their keys are not.
    pub fn records(&self) -> Vec<ProviderRecord> {
        let record = |BuiltInProvider { provider, .. }: &BuiltInProvider| ProviderRecord {
            id: provider.id,
            org: None,
            name: provider.name.clone(),
            kind: provider.kind,
            base_url: provider.base_url.clone(),
            key: provider.key.as_ref().map(|key| KeptKey { sealed: None, hint: hint(key.expose()) }),
            source: ProviderSource::Environment,
            version: 1,
            created_at: BEGINNING,
            updated_at: BEGINNING,
        };
        self.providers.iter().map(record).collect()
    }

    /// Their models, in the order in which `default` prefers them. `listed` gives what a server listed when it was last
    /// asked.
    pub fn models(&self, listed: impl Fn(&str) -> Vec<String>) -> Vec<ModelRecord> {
        let mut models = Vec::new();
        for BuiltInProvider { provider, offers } in &self.providers {
            match offers {
                Offers::WellKnown => {
                    let known = well_known::ALL.iter().filter(|model| model.kind == provider.kind);
                    models.extend(known.map(|model| seeded(&provider.name, model)));
                }
                Offers::Listed => models.extend(listed(&provider.name).iter().map(|name| found(&provider.name, name))),
                Offers::Local => models.extend(local(&provider.name)),
            }
        }
        // Two servers may have a model of the same name; the first one keeps it.
        let mut seen = std::collections::HashSet::new();
        models.retain(|model| seen.insert(model.definition.alias.clone()));
        models
    }
}

fn seeded(provider: &str, known: &WellKnown) -> ModelRecord {
    record(ModelSource::Seeded, facts(provider, known.name, known))
}

fn facts(provider: &str, alias: &str, known: &WellKnown) -> Definition {
    Definition {
        display_name: Some(known.display_name.to_owned()),
        max_output_tokens: known.max_output_tokens,
        prices: known.prices,
        prices_as_of: known.prices_as_of(),
        ..definition(provider, alias, known.name, known.context_window, known.capabilities)
    }
}

/// A model that a server lists. What is known of its name is taken to hold; else it costs nothing and can do all that its
/// kind of model can.
fn found(provider: &str, name: &str) -> ModelRecord {
    let definition = match well_known::find(name) {
        Some(known) => facts(provider, name, known),
        None if looks_like_embeddings(name) => {
            definition(provider, name, name, UNKNOWN_CONTEXT, &[Capability::Embeddings])
        }
        None => definition(provider, name, name, UNKNOWN_CONTEXT, UNKNOWN_CHAT),
    };
    record(ModelSource::Discovered, definition)
}

fn local(provider: &str) -> [ModelRecord; 2] {
    let ((chat, chat_window), (embedding, embedding_window)) = (LOCAL_CHAT, LOCAL_EMBEDDING);
    [
        definition(provider, chat, chat, chat_window, LOCAL_CAPABILITIES),
        definition(provider, embedding, embedding, embedding_window, &[Capability::Embeddings]),
    ]
    .map(|definition| record(ModelSource::Seeded, definition))
}

/// A free model with one route.
fn definition(
    provider: &str,
    alias: &str,
    upstream_model: &str,
    context_window: u32,
    capabilities: &[Capability],
) -> Definition {
    Definition {
        alias: alias.to_owned(),
        display_name: None,
        context_window,
        max_output_tokens: None,
        capabilities: capabilities.to_vec(),
        prices: Prices::default(),
        prices_as_of: None,
        enabled: true,
        access: Access::default(),
        routes: vec![RouteRecord {
            id: RouteId::from_uuid(derived("route", &format!("{provider}/{alias}"))),
            provider: ProviderRef::BuiltIn(provider.to_owned()),
            upstream_model: upstream_model.to_owned(),
            weight: 1,
            fallback: 0,
            region: None,
            prices: None,
        }],
    }
}

fn record(source: ModelSource, definition: Definition) -> ModelRecord {
    ModelRecord {
        id: ModelId::from_uuid(derived("model", &definition.alias)),
        org: None,
        source,
        definition,
        version: 1,
        created_at: BEGINNING,
        updated_at: BEGINNING,
    }
}

fn looks_like_embeddings(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["embed", "minilm", "bge-", "gte-", "e5-"].iter().any(|mark| name.contains(mark))
}

/// The id of a provider of the environment.
pub fn provider_id(name: &str) -> ProviderId {
    ProviderId::from_uuid(derived("provider", name))
}

/// The id of something that is in no table: the same in every process and after every start (RFC 9562 version 8).
pub fn derived(kind: &str, name: &str) -> Uuid {
    let hash = blake3::Hasher::new_derive_key("brainops 2026 built-in id")
        .update(kind.as_bytes())
        .update(&[0])
        .update(name.as_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &'static str, kind: ProviderKind, custom_url: bool) -> BuiltIn {
        let base_url = "http://127.0.0.1:9/v1".parse().unwrap();
        BuiltIn { name, kind, base_url, key: None, custom_url }
    }

    fn aliases(installation: &Installation, listed: &[&str]) -> Vec<String> {
        let listed = |_: &str| listed.iter().map(|name| (*name).to_owned()).collect();
        installation.models(listed).into_iter().map(|model| model.definition.alias).collect()
    }

    #[test]
    fn a_vendor_has_its_well_known_models_and_another_server_what_it_lists() {
        let vendor = Installation::new(vec![built_in("openai", ProviderKind::Openai, false)]);
        assert!(aliases(&vendor, &["ignored"]).contains(&"gpt-5-mini".to_owned()));
        let other = Installation::new(vec![built_in("openai", ProviderKind::Openai, true)]);
        assert_eq!(aliases(&other, &["llama", "llama", "bge-m3"]), ["llama", "bge-m3"]);
        let models = other.models(|_| vec!["bge-m3".into(), "gpt-4o".into()]);
        assert_eq!(models[0].definition.capabilities, [Capability::Embeddings]);
        assert!(models[1].definition.prices.input.0 > 0, "what is known of the name holds");
    }

    #[test]
    fn ids_are_the_same_after_every_start() {
        assert_eq!(provider_id("openai"), provider_id("openai"));
        assert_ne!(derived("provider", "openai"), derived("model", "openai"));
        assert_eq!(derived("model", "gpt-5").get_version_num(), 8);
    }
}
