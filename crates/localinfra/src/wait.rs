//! Waiting for something to become true, by asking again with growing pauses.

use std::thread;
use std::time::{Duration, Instant};

/// Calls `step` until it yields a value or `limit` is over; `None` then.
pub(crate) fn until<T, E>(limit: Duration, mut step: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    const LONGEST: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(value) = step()? {
            return Ok(Some(value));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}
