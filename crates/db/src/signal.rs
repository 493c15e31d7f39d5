//! Tells the relay that events were committed: at once when it runs in this process, through NOTIFY when it does not.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Signal {
    committed: Notify,
    relay_is_here: AtomicBool,
}

impl Signal {
    /// Events were committed. Gives whether the relay of another process has to be told.
    pub fn raise(&self) -> bool {
        self.committed.notify_one();
        !self.relay_is_here.load(Ordering::Acquire)
    }

    pub fn set_relay_here(&self, here: bool) {
        self.relay_is_here.store(here, Ordering::Release);
    }

    /// Waits for a commit of this process, at most `at_most`. A commit since the last wait counts.
    pub async fn raised(&self, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.committed.notified()).await.is_ok()
    }
}
