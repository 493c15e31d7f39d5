//! The models of one owner, ready to be called: records joined with their providers and keys.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use contracts::{ModelId, ProviderId};
use kit::{Secret, seal::Keyring};

use super::installation::{Installation, derived};
use crate::domain::{
    definition::ProviderRef,
    model::{Access, Capability, Model, ModelRecord, Route},
    provider::{Provider, ProviderRecord},
};

/// What callers write when they leave the choice to the installation.
const DEFAULTS: [(&str, Capability); 2] =
    [("default", Capability::Chat), ("default-embedding", Capability::Embeddings)];

/// The enabled models of an organization or of the installation, by alias.
#[derive(Debug, Default)]
pub struct Shelf {
    models: BTreeMap<String, Arc<Model>>,
}

impl Shelf {
    pub fn get(&self, alias: &str) -> Option<&Arc<Model>> {
        self.models.get(alias)
    }

    /// By alias.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    /// Joins the enabled models with their providers. A route whose provider is not there, or whose key does not open,
    /// rests; a model without routes is none.
    pub fn new(
        models: Vec<ModelRecord>,
        providers: Vec<ProviderRecord>,
        installation: &Installation,
        keyring: &Keyring,
    ) -> Self {
        let stored: HashMap<ProviderId, Arc<Provider>> =
            providers.into_iter().filter_map(|record| open(record, keyring)).map(|p| (p.id, Arc::new(p))).collect();
        let provider = |to: &ProviderRef| match to {
            ProviderRef::Stored(id) => stored.get(id),
            ProviderRef::BuiltIn(name) => installation.provider(name),
        };
        let ready = models.into_iter().filter(|model| model.definition.enabled).map(|record| {
            let routes = record.definition.routes.iter().filter_map(|route| {
                Some(Route {
                    id: route.id,
                    provider: Arc::clone(provider(&route.provider)?),
                    upstream_model: route.upstream_model.clone(),
                    weight: route.weight,
                    fallback: route.fallback,
                    region: route.region.clone(),
                    prices: route.prices,
                })
            });
            model(&record, routes.collect())
        });
        let models = ready.filter(|model| !model.routes.is_empty());
        Self { models: models.map(|model| (model.alias.clone(), Arc::new(model))).collect() }
    }

    /// Adds `default` and `default-embedding`, unless somebody made models of these names: each another name for the first
    /// model of `preferred` that can do it and is open to everybody, else for the first of all by alias.
    pub fn add_defaults(&mut self, preferred: &[String]) {
        for (alias, needs) in DEFAULTS {
            if self.models.contains_key(alias) {
                continue;
            }
            let fits = |model: &&Arc<Model>| model.can(needs) && model.access == Access::default();
            let first = preferred.iter().filter_map(|name| self.models.get(name)).find(fits);
            if let Some(chosen) = first.or_else(|| self.models.values().find(fits)) {
                let id = ModelId::from_uuid(derived("model", alias));
                let renamed = Model { id, alias: alias.to_owned(), ..Model::clone(chosen) };
                self.models.insert(alias.to_owned(), Arc::new(renamed));
            }
        }
    }
}

fn model(record: &ModelRecord, routes: Vec<Route>) -> Model {
    let definition = &record.definition;
    Model {
        id: record.id,
        org: record.org,
        alias: definition.alias.clone(),
        display_name: definition.display_name.clone(),
        context_window: definition.context_window,
        max_output_tokens: definition.max_output_tokens,
        capabilities: definition.capabilities.clone(),
        prices: definition.prices,
        enabled: definition.enabled,
        access: definition.access.clone(),
        routes,
        created_at: record.created_at,
    }
}

/// The provider with its key. `None`, and a line for the operator, when the key does not open: calling without it would
/// only be refused.
pub fn open(record: ProviderRecord, keyring: &Keyring) -> Option<Provider> {
    let sealed = record.key.as_ref().and_then(|key| key.sealed.as_deref());
    let key = match sealed.map(|sealed| keyring.open(&ProviderRecord::place(record.id), sealed)).transpose() {
        Ok(opened) => opened.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map(Secret::new),
        Err(error) => {
            tracing::error!(provider.id = %record.id, %error, "A provider's key does not open; its routes rest");
            return None;
        }
    };
    Some(Provider {
        id: record.id,
        org: record.org,
        name: record.name,
        kind: record.kind,
        base_url: record.base_url,
        key,
        // What belongs to the installation was configured by its operators.
        trusted: record.org.is_none(),
    })
}
