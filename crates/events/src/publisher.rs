//! Confirmed publishing. A message counts as published when the broker said it is stored, never before.

use std::time::Duration;

use contracts::CloudEvent;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, poll};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;

use crate::error::deadline;
use crate::{Broker, Error, metrics, wire};

/// A broker that has not confirmed by then is treated as lost.
const CONFIRM: Duration = Duration::from_secs(30);

/// Returned when no queue takes the message.
const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

/// Publishes many events without waiting for each: [`send`](Self::send) in order, then await the confirmations.
pub(crate) struct Pipeline {
    channel: Channel,
    exchange: ShortString,
    service: &'static str,
}

/// Resolves when the broker has taken (or refused) an event.
pub(crate) type Confirmed = BoxFuture<'static, Result<(), Error>>;

impl Pipeline {
    /// On a channel of its own: the order of a channel is the order of its queues.
    pub(crate) async fn open(broker: &Broker) -> Result<Self, Error> {
        let channel = broker.publishing_channel().await?;
        crate::topology::exchange(&channel, broker.names()).await?;
        Ok(Self { channel, exchange: broker.names().exchange()?, service: broker.service() })
    }

    /// Hands `event` to the connection, after everything handed over before.
    pub(crate) async fn send(&self, event: &CloudEvent) -> Result<Confirmed, Error> {
        let routing_key = crate::names::short(event.routing_key())?;
        let properties = wire::properties(event)?;
        let body = event.to_json().map_err(Error::Encode)?;
        let (channel, exchange, service) = (self.channel.clone(), self.exchange.clone(), self.service);
        let event_type = event.event_type.clone();
        let mut publishing = async move {
            let published =
                async { channel.basic_publish(exchange, routing_key, MANDATORY, &body, properties).await?.await };
            match deadline("basic.publish", CONFIRM, published).await? {
                Confirmation::Ack(returned) => {
                    // lapin ties a returned message to whichever confirmation comes next, so it is counted by its own type.
                    if let Some(returned) = returned {
                        let returned = wire::message_type(&returned.delivery.properties);
                        metrics::RETURNED.with_label_values(&[service, returned]).inc();
                    }
                    metrics::PUBLISHED.with_label_values(&[service, &event_type]).inc();
                    Ok(())
                }
                Confirmation::Nack(_) | Confirmation::NotRequested => Err(Error::Refused),
            }
        }
        .boxed();
        // The first poll writes the frames into the connection's queue; doing it here fixes the order.
        match poll!(&mut publishing) {
            std::task::Poll::Ready(done) => Ok(async move { done }.boxed()),
            std::task::Poll::Pending => Ok(publishing),
        }
    }
}

/// Publishes single messages straight to a queue by its name: retries, dead letters, redrives.
///
/// One at a time, because only then it is certain which message a `basic.return` speaks of; a message that has nowhere to
/// go is an error here.
pub(crate) struct Direct {
    broker: Broker,
    channel: Mutex<Option<Channel>>,
}

impl Direct {
    pub(crate) fn new(broker: &Broker) -> Self {
        Self { broker: broker.clone(), channel: Mutex::new(None) }
    }

    /// Resolves when the broker has stored the message in `queue`.
    pub(crate) async fn send(
        &self,
        queue: &ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Error> {
        let mut slot = self.channel.lock().await;
        // Taken out while in use: after an error, or when this future is dropped half-way, the channel is not used again.
        let channel = match slot.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.broker.publishing_channel().await?,
        };
        let published =
            async { channel.basic_publish("".into(), queue.clone(), MANDATORY, body, properties).await?.await };
        let confirmation = deadline("basic.publish", CONFIRM, published).await?;
        *slot = Some(channel);
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(Error::NoQueue(queue.to_string())),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(Error::Refused),
        }
    }
}
