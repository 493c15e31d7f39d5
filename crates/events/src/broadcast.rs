//! Events that every instance must hear, such as revocations: a queue for each process that dies with it.
//!
//! Nothing is kept while an instance is away, so whoever listens loads the state afresh each time it is attached.

use std::sync::Arc;

use contracts::{CloudEvent, Event};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use kit::{CancellationToken, Task};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tracing::Instrument;

use crate::broker::chain;
use crate::delivery::{Handled, Handler, Handlers};
use crate::error::deadline;
use crate::session::forever;
use crate::{Broker, Error, topology};

const ASK: std::time::Duration = std::time::Duration::from_secs(10);
const PREFETCH: u16 = 500;

type Attached = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Hears events on every instance of the service, without retry: a failure is logged and the next event comes.
pub struct Broadcast {
    broker: Broker,
    name: &'static str,
    handlers: Handlers,
    attached: Option<Attached>,
}

/// Starts a broadcast; `name` is what its task, its logs and its queue are called by.
pub fn broadcast(broker: &Broker, name: &'static str) -> Broadcast {
    Broadcast { broker: broker.clone(), name, handlers: Handlers::default(), attached: None }
}

impl Broadcast {
    /// Hears the event `E`.
    #[must_use]
    pub fn on<E: Event>(mut self, handler: impl Handler<E>) -> Self {
        self.handlers.insert(handler);
        self
    }

    /// Called at the start of each session, when the queue is bound and before its first event is handled: the moment to
    /// load what events before it said. Events wait meanwhile.
    #[must_use]
    pub fn on_attached<F: Future<Output = ()> + Send + 'static>(
        mut self,
        attached: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.attached = Some(Arc::new(move || Box::pin(attached())));
        self
    }

    /// Listens for ever.
    pub fn task(self) -> Task {
        Task::new(self.name, async move |stop: CancellationToken| {
            forever(self.name, self.broker.service(), &stop, || self.session(&stop)).await;
            Ok(())
        })
    }

    async fn session(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut transient = Transient::open(&self.broker, self.name, &self.handlers.keys()).await?;
        if let Some(attached) = &self.attached
            && stop.run_until_cancelled(attached()).await.is_none()
        {
            return Ok(());
        }
        while let Some(event) = stop.run_until_cancelled(transient.next()).await {
            let event = event?;
            let span = tracing::info_span!("broadcast", otel.kind = "consumer", event.r#type = event.event_type);
            if let Some(traceparent) = &event.traceparent {
                kit::telemetry::continue_trace(&span, traceparent);
            }
            self.hear(event).instrument(span).await;
        }
        Ok(())
    }

    async fn hear(&self, event: CloudEvent) {
        let now = self.broker.core().clock.now();
        match self.handlers.call(Arc::new(event), 1, now).await {
            Handled::Answered(Ok(())) => {}
            Handled::Answered(Err(failure)) => tracing::error!(error = ?failure, "A broadcast event was not handled"),
            Handled::Undecodable(error) => tracing::error!(error = chain(&error), "A broadcast event cannot be read"),
            Handled::Unknown => tracing::error!("A broadcast event has no handler"),
        }
    }
}

/// A bound queue of this process alone, being consumed.
pub(crate) struct Transient {
    name: String,
    deliveries: lapin::Consumer,
    _channel: Channel,
}

impl Transient {
    /// Declares and binds the queue; every event published after this returned will come.
    pub(crate) async fn open(broker: &Broker, purpose: &str, keys: &[String]) -> Result<Self, Error> {
        let channel = broker.consuming_channel().await?;
        let queue = broker.names().transient(purpose, &broker.core().ids.uuid().to_string())?;
        topology::transient(&channel, broker.names(), queue.clone(), keys).await?;
        deadline("basic.qos", ASK, channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
        let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
        let consumed = channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default());
        let deliveries = deadline("basic.consume", ASK, consumed).await?;
        Ok(Self { name: queue.to_string(), deliveries, _channel: channel })
    }

    /// The next event. What is no event is skipped: this queue is nobody's only copy.
    pub(crate) async fn next(&mut self) -> Result<CloudEvent, Error> {
        loop {
            let delivery = self.deliveries.next().await.ok_or_else(|| Error::ConsumerEnded(self.name.clone()))??;
            delivery.ack(BasicAckOptions::default()).await?;
            match CloudEvent::from_json(&delivery.data) {
                Ok(event) => return Ok(event),
                Err(error) => tracing::warn!(error = chain(&error), "Skipped a message that is no event"),
            }
        }
    }
}
