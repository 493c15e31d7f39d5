//! The only place that starts detached work, so that every task has a name and no panic goes unseen.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Runs `work` on the current tokio runtime.
///
/// It inherits the span it is started in. A panic is logged with the task's `name` and then carried on to whoever awaits
/// the handle, as [`tokio::spawn`] does.
pub fn spawn<F>(name: &'static str, work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let named = async move {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(output) => output,
            Err(panic) => {
                tracing::error!(task.name = name, panic.message = panic_message(&*panic), "A task panicked");
                std::panic::resume_unwind(panic)
            }
        }
    };
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    tokio::spawn(named.in_current_span())
}

/// What a panic said, if it said it in text.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic without a message)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_gives_its_result() {
        assert_eq!(spawn("adder", async { 1 + 1 }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits() {
        let failed = spawn("thrower", async { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(panic_message(&*failed.into_panic()), "on purpose");
    }
}
