//! What runs beside the requests.

mod describe;
mod load_keys;

use std::sync::Arc;
use std::time::Duration;

use kit::{Task, Verifier};

use crate::state::State;
use crate::upstream;

/// The watch over each service's replicas, the collection of their descriptions, the keys of auth, and the sweep of
/// counted calls.
pub fn all(state: &State, verifier: &Arc<Verifier>, every: Duration) -> Vec<Task> {
    let watch = |upstream: &Arc<upstream::Upstream>| {
        let upstream = Arc::clone(upstream);
        Task::new(upstream.service.watch_task(), move |stop| upstream::watch(upstream, every, stop))
    };
    let mut tasks: Vec<Task> = state.upstreams().map(watch).collect();
    let (state, swept) = (state.clone(), state.clone());
    tasks.push(Task::new("gateway.sweep_limits", async move |stop| {
        swept.rate_limits().sweep(&stop).await;
        Ok(())
    }));
    let verifier = Arc::clone(verifier);
    tasks.push(Task::new("gateway.load_keys", move |stop| load_keys::load_keys(verifier, every, stop)));
    tasks.push(Task::new("gateway.describe", move |stop| describe::describe(state, every, stop)));
    tasks
}
