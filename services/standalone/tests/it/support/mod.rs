//! What these tests stand on.

mod api;
mod node;
mod program;
mod python;
mod system;
mod tail;

pub use api::{Api, id, new_email};
pub use node::Node;
pub use program::Program;
pub use python::python;
pub use system::{Installation, System, brainops};
pub use tail::Tail;

use std::time::{Duration, Instant};

/// How long anything may take that has to happen. A machine that tests with all cores is slow.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks until the answer is there, for what nobody announces.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
