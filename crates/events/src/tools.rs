//! For tests and tools that stand outside of a service. A service itself publishes through its outbox and nowhere else.

use contracts::CloudEvent;

use crate::publisher::Pipeline;
use crate::{Broker, Error, topology};

/// Publishes one event; resolves when the broker has stored it.
pub async fn publish(broker: &Broker, event: &CloudEvent) -> Result<(), Error> {
    Pipeline::open(broker).await?.send(event).await?.await
}

/// How many consumers are attached to `queue` at this moment; 0 also when the queue does not exist yet. From the first
/// one on, nothing that the queue is bound to is missed.
pub async fn consumers(broker: &Broker, queue: &str) -> Result<u32, Error> {
    let channel = broker.consuming_channel().await?;
    let found = topology::state(&channel, broker.names().queue(queue)?).await?;
    Ok(found.map_or(0, |state| state.consumers))
}
