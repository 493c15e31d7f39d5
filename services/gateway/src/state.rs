//! What every request can reach.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::app::description::Description;
use crate::config::{Config, Limits};
use crate::domain::service::Service;
use crate::keys::ApiKeys;
use crate::limits::Limits as RateLimits;
use crate::proxy::Forwarded;
use crate::upstream::Upstream;

/// Shared by all workers.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    /// In the order of `Service::ALL`, so that a service's upstream is found by its place. None for a service that this
    /// installation does not have.
    upstreams: Vec<Option<Arc<Upstream>>>,
    limits: Limits,
    rate_limits: RateLimits,
    forwarded: Forwarded,
    api_keys: Arc<ApiKeys>,
    cors_origins: Vec<String>,
    description: Description,
}

impl State {
    /// From the configuration and the gateway's `own` API description; nothing is asked of anybody yet.
    pub fn new(config: &Config, own: serde_json::Value, api_keys: Arc<ApiKeys>) -> anyhow::Result<Self> {
        let of = |service: &Service| {
            let configured = config.upstreams.iter().find(|upstream| upstream.service == *service)?;
            Some(Arc::new(Upstream::new(*service, configured.replicas.clone())))
        };
        Ok(Self(Arc::new(Inner {
            upstreams: Service::ALL.iter().map(of).collect(),
            limits: config.limits,
            rate_limits: RateLimits::new(&config.rates),
            forwarded: Forwarded::new(&config.identity.issuer)?,
            api_keys,
            cors_origins: config.cors_origins.clone(),
            description: Description::new(own, config.identity.issuer_name()),
        })))
    }

    /// A service's replicas; None for a service that this installation does not have.
    pub fn upstream(&self, service: Service) -> Option<&Arc<Upstream>> {
        self.0.upstreams.get(service as usize)?.as_ref()
    }

    /// The replicas of every service that there is.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.0.upstreams.iter().flatten()
    }

    /// Looks up all replicas once.
    pub async fn resolve(&self) {
        join_all(self.upstreams().map(|upstream| upstream.resolve())).await;
    }

    /// What a call may take.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What services are told about where clients came in.
    pub fn forwarded(&self) -> &Forwarded {
        &self.0.forwarded
    }

    /// How often callers may call, and did.
    pub fn rate_limits(&self) -> &RateLimits {
        &self.0.rate_limits
    }

    /// The exchange of API keys.
    pub fn api_keys(&self) -> &Arc<ApiKeys> {
        &self.0.api_keys
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
