//! What every request can reach.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::app::description::Description;
use crate::config::{Config, Deadlines};
use crate::domain::route::Service;
use crate::proxy::Forwarded;
use crate::upstream::Upstream;

/// Shared by all workers.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    upstreams: Vec<Arc<Upstream>>,
    deadlines: Deadlines,
    forwarded: Forwarded,
    cors_origins: Vec<String>,
    description: Description,
}

impl State {
    /// From the configuration and the gateway's `own` API description; nothing is asked of anybody yet.
    pub fn new(config: &Config, own: serde_json::Value) -> anyhow::Result<Self> {
        // In the order of `Service::ALL`, so that a service's upstream is found by its place.
        let of = |service: Service| {
            let configured = config.upstreams.iter().find(|upstream| upstream.service == service);
            Arc::new(Upstream::new(service, configured.map(|upstream| upstream.replicas.clone()).unwrap_or_default()))
        };
        Ok(Self(Arc::new(Inner {
            upstreams: Service::ALL.map(of).into(),
            deadlines: config.deadlines,
            forwarded: Forwarded::new(&config.identity.issuer)?,
            cors_origins: config.cors_origins.clone(),
            description: Description::new(own, config.identity.issuer_name()),
        })))
    }

    /// A service's replicas.
    pub fn upstream(&self, service: Service) -> &Arc<Upstream> {
        &self.0.upstreams[service as usize]
    }

    /// Every service's replicas.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.0.upstreams.iter()
    }

    /// Looks up all replicas once.
    pub async fn resolve(&self) {
        join_all(self.upstreams().map(|upstream| upstream.resolve())).await;
    }

    /// How long a call may take.
    pub fn deadlines(&self) -> &Deadlines {
        &self.0.deadlines
    }

    /// What services are told about where clients came in.
    pub fn forwarded(&self) -> &Forwarded {
        &self.0.forwarded
    }

    /// Whether browsers may call at all from elsewhere.
    pub fn has_cors(&self) -> bool {
        !self.0.cors_origins.is_empty()
    }

    /// Whether browsers may call from `origin`.
    pub fn allows_origin(&self, origin: &[u8]) -> bool {
        self.0.cors_origins.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// The merged description of the API.
    pub fn description(&self) -> &Description {
        &self.0.description
    }
}
