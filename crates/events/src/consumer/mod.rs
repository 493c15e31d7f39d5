//! Consuming: a queue of one's own, handlers by event type, retries, dead letters.
//!
//! - **Order.** Events of one subject are handled one after the other, in the order they arrive; events of different
//!   subjects run side by side (`concurrency` lanes, chosen by the subject's hash). A retried event comes back after later
//!   ones, and replicas of a service share the queue, so a projection still goes by `sequence`.
//! - **At least once.** A message is acknowledged after its handler succeeded, or after a copy of it is safe in a delay or
//!   dead-letter queue. `db::inbox::once` makes the effect happen once.
//! - **Dependencies.** While the database (or another [`depends_on`](Consumer::depends_on)) is down, messages are held and tried
//!   again in place; nothing spins, no attempt is used up.

mod lane;
mod session;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use contracts::Event;
use db::Db;
use kit::{HealthCheck, Task};

use crate::Broker;
use crate::delivery::{Handler, Handlers};
use crate::publisher::Direct;
use crate::session::forever;

/// The delays between the attempts at one message.
pub const DELAYS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(5)];

/// How a consumer takes its messages.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// `<consuming service>.<what for>`, such as `users.auth`; also the consumer's name in the inbox.
    pub queue: &'static str,
    /// Messages in hand at most, handled or waiting for their lane.
    pub prefetch: u16,
    /// Subjects handled side by side.
    pub concurrency: usize,
    /// Waits before the second, third, … attempt; when they are used up the message is dead.
    pub delays: Vec<Duration>,
}

impl ConsumerSpec {
    /// For projections: short work in the service's own database.
    pub fn projection(queue: &'static str) -> Self {
        Self { queue, prefetch: 100, concurrency: 4, delays: DELAYS.to_vec() }
    }

    /// For slow work (mail, a model): few in hand, so that other replicas get the rest.
    pub fn slow(queue: &'static str) -> Self {
        Self { queue, prefetch: 4, concurrency: 4, delays: DELAYS.to_vec() }
    }
}

/// A consumer under construction; [`task`](Self::task) makes it run.
pub struct Consumer {
    broker: Broker,
    spec: ConsumerSpec,
    handlers: Handlers,
    /// Types that an earlier version handled.
    former: Vec<&'static str>,
    dependencies: Vec<Arc<dyn HealthCheck>>,
}

impl Consumer {
    /// A consumer without handlers. It depends on `db`, where its effects go.
    pub fn new(broker: &Broker, db: &Db, spec: ConsumerSpec) -> Self {
        Self {
            broker: broker.clone(),
            spec,
            handlers: Handlers::default(),
            former: Vec::new(),
            dependencies: vec![Arc::new(db.clone())],
        }
    }

    /// Binds the queue to the type of `E` and handles it.
    #[must_use]
    pub fn on<E: Event>(mut self, handler: impl Handler<E>) -> Self {
        self.handlers.insert(handler);
        self
    }

    /// Unbinds the queue from the type of `E`, which an earlier version handled. What is left of it in the queue is dropped.
    #[must_use]
    pub fn no_longer<E: Event>(mut self) -> Self {
        self.former.push(E::TYPE);
        self
    }

    /// Holds messages also while `dependency` is ill, once a handler answered [`Failure::Pause`](crate::Failure::Pause).
    #[must_use]
    pub fn depends_on(mut self, dependency: Arc<dyn HealthCheck>) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Declares the queue and consumes it, for ever. When told to stop it takes no more, finishes what is in hand and
    /// acknowledges it; what had not begun goes back to the queue.
    pub fn task(self) -> Task {
        let queue = self.spec.queue;
        let worker = Worker { direct: Direct::new(&self.broker), consumer: self };
        Task::new(queue, async move |stop| {
            forever(queue, worker.consumer.broker.service(), &stop, || worker.session(&stop)).await;
            Ok(())
        })
    }
}

/// A consumer at work.
struct Worker {
    consumer: Consumer,
    direct: Direct,
}
