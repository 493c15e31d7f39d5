//! Which models the other OpenAI-compatible servers of the environment have: they are asked for their lists, at the start,
//! every few minutes, and when somebody names a model that no list has shown yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::installation::{Installation, Offers};
use crate::clients::Providers;

/// How long a server may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// A server that was asked this lately is not asked again for a name that it did not list.
const LATELY: Duration = Duration::from_secs(10);
/// Names beyond this many are left out; a server that lists more is no server of ours.
const MOST: usize = 500;
/// Longer names are left out.
const LONGEST: usize = 128;

/// The lists as they were when their servers were last asked.
pub struct Discovery {
    installation: Arc<Installation>,
    clients: Providers,
    lists: Mutex<BTreeMap<String, Vec<String>>>,
    /// When the servers were last asked; held while they are, so that they are asked once at a time.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl Discovery {
    pub fn new(installation: Arc<Installation>, clients: Providers) -> Self {
        Self { installation, clients, lists: Mutex::default(), asked: tokio::sync::Mutex::default() }
    }

    /// Whether there is any server to ask.
    pub fn has_servers(&self) -> bool {
        self.servers().next().is_some()
    }

    /// What the provider of this name listed.
    pub fn list(&self, provider: &str) -> Vec<String> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).get(provider).cloned().unwrap_or_default()
    }

    /// Asks every server, unless they were asked a moment ago. `changed` is called when any list is another one than before,
    /// and before anybody who waited for these answers goes on. A server that does not answer keeps its list.
    pub async fn ask(&self, changed: impl FnOnce()) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < LATELY) {
            return;
        }
        let answers = self
            .servers()
            .map(|provider| async move { (provider.name.clone(), self.clients.models(provider, DEADLINE).await) });
        let mut any = false;
        for (name, answer) in futures_util::future::join_all(answers).await {
            match answer {
                Ok(listed) => any |= self.keep(name, listed),
                Err(failure) => tracing::warn!(
                    provider.name = name,
                    error = &failure as &dyn std::error::Error,
                    "A server did not say which models it has"
                ),
            }
        }
        *asked = Some(Instant::now());
        if any {
            changed();
        }
    }

    fn servers(&self) -> impl Iterator<Item = &crate::domain::provider::Provider> {
        let servers = self.installation.providers().iter().filter(|built_in| built_in.offers == Offers::Listed);
        servers.map(|built_in| &*built_in.provider)
    }

    fn keep(&self, provider: String, listed: Vec<String>) -> bool {
        let usable = |name: &String| (1..=LONGEST).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        let sorted: BTreeSet<String> = listed.into_iter().filter(usable).collect();
        let list: Vec<String> = sorted.into_iter().take(MOST).collect();
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(&provider) != Some(&list) && {
            lists.insert(provider, list);
            true
        }
    }
}
