//! Connections that wait for their next request. One pool a worker thread, so nothing is locked.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// Shorter than the keep-alive of our services, so that it is the gateway which closes as a rule: a request never meets
/// a connection that the other side has just given up.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// More than this many waiting connections to one replica are a burst that is over.
const MAX_WAITING: usize = 64;

/// The waiting connections by replica; the one used last is used next.
#[derive(Default)]
pub struct Pool(RefCell<HashMap<SocketAddr, VecDeque<Waiting>>>);

struct Waiting {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A connection to `addr` that was still open at this moment.
    pub fn take(&self, addr: SocketAddr, cx: &mut Context<'_>) -> Option<Connection> {
        let mut waiting = self.0.borrow_mut();
        let queue = waiting.get_mut(&addr)?;
        let now = Instant::now();
        while let Some(Waiting { mut connection, since }) = queue.pop_back() {
            if now.duration_since(since) >= MAX_IDLE {
                // The rest has waited even longer.
                queue.clear();
                return None;
            }
            connection.drive(cx);
            if connection.is_reusable() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection to `addr`.
    pub fn put(&self, addr: SocketAddr, connection: Connection) {
        let mut waiting = self.0.borrow_mut();
        let queue = waiting.entry(addr).or_default();
        let since = Instant::now();
        // Whatever waits longest may have waited long enough.
        while queue.front().is_some_and(|oldest| since.duration_since(oldest.since) >= MAX_IDLE)
            || queue.len() >= MAX_WAITING
        {
            queue.pop_front();
        }
        queue.push_back(Waiting { connection, since });
    }
}
