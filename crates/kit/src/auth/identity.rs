//! From what an operator sets about identity to what a service works with.
use std::sync::Arc;

use super::{ClientCredentials, JwksSource, Verifier, VerifierConfig};
use crate::{Core, InternalClient, config::IdentitySettings};

impl IdentitySettings {
    /// The `iss` of every token: the public base URL without a slash at its end.
    pub fn issuer_name(&self) -> &str {
        self.issuer.as_str().trim_end_matches('/')
    }

    /// Verifies tokens with the keys that auth publishes.
    pub fn verifier(&self, core: &Core) -> anyhow::Result<Arc<Verifier>> {
        let keys = format!("{}/.well-known/jwks.json", self.auth_url.as_str().trim_end_matches('/'));
        self.verifier_with(core, JwksSource::Url(keys))
    }

    /// Verifies tokens with keys from `jwks`; for auth itself.
    pub fn verifier_with(&self, core: &Core, jwks: JwksSource) -> anyhow::Result<Arc<Verifier>> {
        let config = VerifierConfig::new(self.issuer_name(), self.audience.clone(), core.service, jwks);
        Ok(Arc::new(Verifier::new(config, Arc::clone(&core.clock))?))
    }

    /// A client of auth.
    pub fn auth_client(&self) -> InternalClient {
        InternalClient::new("auth", self.auth_url.clone())
    }

    /// This service's own tokens, for the internal routes of others. Fails without `BRAINOPS_CLIENT_SECRET`.
    pub fn credentials(&self, core: &Core) -> anyhow::Result<Arc<ClientCredentials>> {
        let missing = || anyhow::anyhow!("BRAINOPS_CLIENT_SECRET is not set; auth knows it as this service's secret");
        let secret = self.client_secret.clone().ok_or_else(missing)?;
        let credentials = ClientCredentials::new(self.auth_url.as_str(), core.service, secret, Arc::clone(&core.clock));
        Ok(Arc::new(credentials))
    }
}
