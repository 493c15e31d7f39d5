//! What we declare at the broker. Every declaration is idempotent and repeated at the start of each session, so a broker
//! that came back empty is whole again before the first message moves.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

use crate::Error;
use crate::error::deadline;
use crate::names::{Names, short};

/// A quorum queue is a Raft group; making one can take seconds on a busy cluster.
const DECLARE: Duration = Duration::from_secs(30);

/// Deliveries of one message before the broker itself sends it to the dead letters. It counts crashes, not failures:
/// those leave the queue through a delay queue.
const DELIVERY_LIMIT: i32 = 20;

/// The topic exchange all services publish to.
pub(crate) async fn exchange(channel: &Channel, names: &Names) -> Result<(), Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(names.exchange()?, ExchangeKind::Topic, options, FieldTable::default());
    deadline("exchange.declare", DECLARE, declared).await
}

/// A consumer's queue, its dead-letter queue, and its bindings to the routing keys `keys`.
///
/// The dead letters go through the default exchange by the queue's exact name: nothing between the two can be bound wrongly.
pub(crate) async fn consumer(channel: &Channel, names: &Names, queue: &str, keys: &[String]) -> Result<(), Error> {
    exchange(channel, names).await?;
    dead(channel, names, queue).await?;
    let mut arguments = quorum();
    dead_letter_to(&mut arguments, &names.dead(queue)?);
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    durable(channel, names.queue(queue)?, arguments).await?;
    for key in keys {
        bind(channel, names.queue(queue)?, names, key).await?;
    }
    Ok(())
}

/// Takes a binding back. One that is not there is no error.
pub(crate) async fn unbind(channel: &Channel, names: &Names, queue: &str, key: &str) -> Result<(), Error> {
    let (queue, exchange) = (names.queue(queue)?, names.exchange()?);
    deadline("queue.unbind", DECLARE, channel.queue_unbind(queue, exchange, short(key)?, FieldTable::default())).await
}

/// Where failed messages of `queue` wait; after `delay` the broker puts them back into exactly that queue.
///
/// One queue for each consumer and delay: in a shared one, a message whose consumer no longer exists would hold up all others,
/// since at-least-once dead lettering keeps trying. They are made when first needed, most consumers never fail.
pub(crate) async fn delay(channel: &Channel, names: &Names, queue: &str, delay: Duration) -> Result<(), Error> {
    let mut arguments = quorum();
    dead_letter_to(&mut arguments, &names.queue(queue)?);
    let ttl_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ttl_ms));
    durable(channel, names.delay(queue, delay)?, arguments).await
}

/// The dead-letter queue of `queue`. Nothing leaves it but by `brainops dlq`.
pub(crate) async fn dead(channel: &Channel, names: &Names, queue: &str) -> Result<(), Error> {
    let mut arguments = quorum();
    // RabbitMQ 4 drops a message of a quorum queue after 20 deliveries unless told otherwise, and looking at a dead
    // letter is a delivery. 3.x has no word for "unlimited", so this is the largest number it takes.
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(i32::MAX));
    durable(channel, names.dead(queue)?, arguments).await
}

/// A queue that lives as long as this connection, bound to `keys` (which may hold wildcards).
pub(crate) async fn transient(
    channel: &Channel,
    names: &Names,
    queue: ShortString,
    keys: &[String],
) -> Result<(), Error> {
    exchange(channel, names).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(queue.clone(), options, FieldTable::default());
    deadline("queue.declare", DECLARE, declared).await?;
    for key in keys {
        bind(channel, queue.clone(), names, key).await?;
    }
    Ok(())
}

/// What the broker tells of a queue.
pub(crate) struct QueueState {
    pub(crate) messages: u32,
    pub(crate) consumers: u32,
}

/// Messages ready in `queue`, or `None` when it does not exist (which also ends the channel).
pub(crate) async fn depth(channel: &Channel, queue: ShortString) -> Result<Option<u32>, Error> {
    Ok(state(channel, queue).await?.map(|state| state.messages))
}

/// The state of `queue`, or `None` when it does not exist (which also ends the channel).
pub(crate) async fn state(channel: &Channel, queue: ShortString) -> Result<Option<QueueState>, Error> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match deadline("queue.declare", DECLARE, channel.queue_declare(queue, passive, FieldTable::default())).await {
        Ok(queue) => Ok(Some(QueueState { messages: queue.message_count(), consumers: queue.consumer_count() })),
        Err(Error::Broker(error)) if error.is_amqp_soft_error() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn durable(channel: &Channel, queue: ShortString, arguments: FieldTable) -> Result<(), Error> {
    let declared = channel.queue_declare(queue, QueueDeclareOptions::durable(), arguments);
    deadline("queue.declare", DECLARE, declared).await.map(drop)
}

async fn bind(channel: &Channel, queue: ShortString, names: &Names, key: &str) -> Result<(), Error> {
    let bound =
        channel.queue_bind(queue, names.exchange()?, short(key)?, QueueBindOptions::default(), FieldTable::default());
    deadline("queue.bind", DECLARE, bound).await
}

/// Replicated, on disk, and never dropping: a full queue refuses the publish instead of losing its oldest message.
fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments
}

/// At least once: the broker forgets the message only after the target has it. (The default may lose it in between.)
fn dead_letter_to(arguments: &mut FieldTable, target: &ShortString) {
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(target.as_str().into()));
    arguments.insert("x-dead-letter-strategy".into(), AMQPValue::LongString("at-least-once".into()));
}
