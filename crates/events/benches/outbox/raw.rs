//! The limit: lapin and the broker, and nothing of ours.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

const EXCHANGE: &str = "raw.events";
const QUEUE: &str = "raw.queue";
const ROUTING_KEY: &str = "auth.user_registered.v1";

/// A message as the relay would send it.
pub struct Message {
    pub body: Vec<u8>,
    pub properties: BasicProperties,
}

/// A publisher with everything at hand.
pub struct Raw {
    _connection: Connection,
    channel: Channel,
    messages: Vec<Message>,
}

impl Raw {
    /// Connects and declares: the same kinds of exchange and queue that the relay publishes to.
    pub async fn open(url: &str, messages: Vec<Message>) -> anyhow::Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        channel.queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), arguments).await?;
        let bind = QueueBindOptions::default();
        channel.queue_bind(QUEUE.into(), EXCHANGE.into(), ROUTING_KEY.into(), bind, FieldTable::default()).await?;
        Ok(Self { _connection: connection, channel, messages })
    }

    /// Publishes all messages, `window` of them in flight; the time until the last is confirmed.
    pub async fn publish(&self, window: usize) -> anyhow::Result<Duration> {
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let begun = Instant::now();
        stream::iter(&self.messages)
            .map(|Message { body, properties }| async move {
                let (exchange, key) = (EXCHANGE.into(), ROUTING_KEY.into());
                let publish = self.channel.basic_publish(exchange, key, mandatory, body, properties.clone());
                let confirmation = publish.await?.await?;
                ensure!(confirmation.is_ack(), "the broker refused a message");
                Ok(())
            })
            .buffer_unordered(window)
            .try_collect::<()>()
            .await?;
        let elapsed = begun.elapsed();
        let purged = self.channel.queue_purge(QUEUE.into(), QueuePurgeOptions::default()).await?;
        ensure!(usize::try_from(purged)? == self.messages.len(), "{purged} messages arrived");
        Ok(elapsed)
    }

    /// The mean length of a body.
    pub fn body_bytes(&self) -> usize {
        self.messages.iter().map(|message| message.body.len()).sum::<usize>() / self.messages.len().max(1)
    }
}
