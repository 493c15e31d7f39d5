//! The description of the whole API as it is known at this moment.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use serde_json::Value;

use super::merge_openapi::merge;
use crate::domain::service::Service;

/// The last good description of each service, and all of them merged.
pub struct Description {
    own: Value,
    public_url: String,
    parts: Mutex<BTreeMap<&'static str, (Service, Value)>>,
    merged: ArcSwap<Bytes>,
}

impl Description {
    /// Knows the gateway's `own` endpoints only.
    pub fn new(own: Value, public_url: &str) -> Self {
        let description =
            Self { own, public_url: public_url.to_owned(), parts: Mutex::default(), merged: ArcSwap::default() };
        description.merge(&BTreeMap::new());
        description
    }

    /// The merged document as JSON.
    pub fn json(&self) -> Bytes {
        Bytes::clone(&self.merged.load())
    }

    /// A service describes itself so. What it said before is replaced; other services' parts stay, whether or not they
    /// can be reached.
    pub fn learn(&self, service: Service, document: Value) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.get(service.name()).is_some_and(|(_, known)| *known == document) {
            return;
        }
        parts.insert(service.name(), (service, document));
        self.merge(&parts);
    }

    fn merge(&self, parts: &BTreeMap<&'static str, (Service, Value)>) {
        let parts =
            Service::ALL.iter().filter_map(|service| parts.get(service.name())).map(|(service, part)| (*service, part));
        let merged = merge(self.own.clone(), parts, &self.public_url);
        self.merged.store(std::sync::Arc::new(merged.to_string().into()));
    }
}
