//! Name resolution that hands out nothing but permitted addresses. The connection is made to what this returns, so
//! there is no second look-up that could answer differently.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Policy;

/// A name led to an address that is not permitted.
#[derive(Debug, thiserror::Error)]
#[error("the name resolves to an address that is not permitted")]
pub(super) struct Refused;

type Ask = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// How names become addresses: the machine's resolver, or a test's script.
#[derive(Clone)]
pub(super) struct Lookup(Arc<Ask>);

impl Lookup {
    pub(super) fn new(
        ask: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ask))
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

/// [`Lookup`] under a [`Policy`].
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) policy: Policy,
    pub(super) lookup: Lookup,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { policy, lookup } = self.clone();
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = lookup.0(name).await?;
            // One forbidden address among them refuses the name: which one is tried is not ours to choose.
            if !found.iter().all(|address| policy.permits(*address)) {
                return Err(Refused.into());
            }
            // Port 0 stands for the URL's.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
