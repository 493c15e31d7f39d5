//! A time limit on silence, for streams.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Runs out when nothing happened for `limit`, or at `end` in any case. Costs nothing while data is there at once.
pub struct Patience {
    limit: Duration,
    end: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    /// `end` is the last moment whatever happens.
    pub fn new(limit: Duration, end: Option<Instant>) -> Self {
        Self { limit, end, sleep: None, waiting: false }
    }

    /// Something happened.
    pub fn reset(&mut self) {
        self.waiting = false;
    }

    /// Nothing happened: ready when that went on for too long.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.waiting = true;
            let idle = Instant::now() + self.limit;
            let until = self.end.map_or(idle, |end| end.min(idle));
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(until),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(until))),
            }
        }
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}
