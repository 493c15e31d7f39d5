//! What runs beside the requests.

mod describe;
mod keys_loaded;

use std::sync::Arc;
use std::time::Duration;

use kit::Task;

pub use keys_loaded::KeysLoaded;

use crate::domain::route::Service;
use crate::state::State;
use crate::upstream;

/// The watch over each service's replicas, and the collection of their descriptions.
pub fn all(state: &State, every: Duration) -> Vec<Task> {
    let watch = |upstream: &Arc<upstream::Upstream>| {
        let name = match upstream.service {
            Service::Auth => "gateway.watch.auth",
            Service::Users => "gateway.watch.users",
        };
        let upstream = Arc::clone(upstream);
        Task::new(name, move |stop| upstream::watch(upstream, every, stop))
    };
    let mut tasks: Vec<Task> = state.upstreams().map(watch).collect();
    let state = state.clone();
    tasks.push(Task::new("gateway.describe", move |stop| describe::describe(state, every, stop)));
    tasks
}
