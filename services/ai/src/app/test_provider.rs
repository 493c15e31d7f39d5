//! An admin tries a provider: is the address right, is the key good, which models does it have?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use contracts::ProviderId;
use kit::Principal;

use super::get_provider::get_provider;
use crate::{
    catalog,
    domain::provider::{Provider, ProviderSource},
    error::Error,
    state::AppState,
};

/// How long the provider may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Most names that are shown.
const SHOWN: usize = 500;

/// What came of it.
#[derive(Debug)]
pub struct Trial {
    /// The provider's names of its models, or what went wrong: a [`Kind`](crate::clients::Kind), or `key_unreadable`.
    pub outcome: Result<Vec<String>, &'static str>,
    pub latency: Duration,
}

/// Asks the provider for its models, which costs nothing.
pub async fn test_provider(state: &AppState, who: &Principal, id: ProviderId) -> Result<Trial, Error> {
    let record = get_provider(state, who, id).await?;
    let provider: Option<Arc<Provider>> = match record.source {
        ProviderSource::Environment => state.catalog.installation().provider(&record.name).cloned(),
        ProviderSource::Custom => catalog::open(record, &state.keyring).map(Arc::new),
    };
    let Some(provider) = provider else {
        return Ok(Trial { outcome: Err("key_unreadable"), latency: Duration::ZERO });
    };
    let begun = Instant::now();
    let outcome = state.providers.models(&provider, DEADLINE).await;
    let latency = begun.elapsed();
    let outcome = outcome.map_err(|failure| failure.kind.as_str()).map(|mut names| {
        names.truncate(SHOWN);
        names
    });
    Ok(Trial { outcome, latency })
}
