//! What people do with dead letters: `brainops dlq list|show|redrive|drop`.
//!
//! A dead letter leaves its queue only after it is safe in its consumer's queue again, or when someone drops it by its id.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde::Serialize;
use serde_json::Value;

use crate::error::deadline;
use crate::publisher::Direct;
use crate::wire::{self, Attempt};
use crate::{Broker, Error, topology};

const ASK: std::time::Duration = std::time::Duration::from_secs(10);

/// How many dead letters a consumer's queue has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadQueue {
    /// The consumer's queue.
    pub queue: String,
    /// Its dead letters; `None` when the queue does not exist at this broker.
    pub messages: Option<u32>,
}

/// A message that its consumer gave up on.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// The event's id, empty when the message had none.
    pub id: String,
    /// The event's type as its producer named it.
    pub event_type: String,
    /// `failed`, `attempts_used_up`, `unknown_type`, `undecodable`, or the broker's word when it buried the message itself:
    /// `rejected`, `delivery_limit`.
    pub reason: String,
    /// When it died, unless the broker buried it.
    pub died_at: Option<DateTime<Utc>>,
    /// Its failed attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// How often it was redriven before.
    pub redriven: u32,
    /// The body: the event in its envelope, or text when it is not JSON.
    pub body: Value,
}

/// How many dead letters each of `queues` has. AMQP cannot enumerate queues, so the caller names its consumers'.
pub async fn list(broker: &Broker, queues: &[&str]) -> Result<Vec<DeadQueue>, Error> {
    let mut found = Vec::with_capacity(queues.len());
    for &queue in queues {
        // A channel each: asking for a queue that does not exist ends the channel.
        let channel = broker.consuming_channel().await?;
        let messages = topology::depth(&channel, broker.names().dead(queue)?).await?;
        found.push(DeadQueue { queue: queue.to_owned(), messages });
    }
    Ok(found)
}

/// The first `limit` dead letters of `queue`, oldest first. They stay where they are.
pub async fn show(broker: &Broker, queue: &str, limit: usize) -> Result<Vec<DeadLetter>, Error> {
    let dead = Dead::open(broker, queue).await?;
    let mut letters = Vec::new();
    while letters.len() < limit
        && let Some(message) = dead.next().await?
    {
        letters.push(letter(&message));
    }
    dead.close().await?;
    Ok(letters)
}

/// Sends dead letters of `queue` back to exactly that queue with all their attempts before them: the one with `id`, or all
/// that are there now. Returns how many went.
pub async fn redrive(broker: &Broker, queue: &str, id: Option<&str>) -> Result<usize, Error> {
    let direct = Direct::new(broker);
    let target = broker.names().queue(queue)?;
    let dead = Dead::open(broker, queue).await?;
    let mut moved = HashSet::new();
    while let Some(message) = dead.next().await? {
        let this = message_id(&message);
        if id.is_some_and(|id| id != this) {
            continue;
        }
        if !moved.insert((this.to_owned(), message.data.clone())) {
            // It has been round and died again at once: the rest came after it.
            break;
        }
        let headers = wire::headers(&message.properties);
        let redriven = wire::get_number(&headers, wire::REDRIVEN).unwrap_or(0) + 1;
        let mut headers = wire::without(&headers, |key| {
            wire::is_broker_header(key) || [wire::ATTEMPT, wire::REASON, wire::DEAD_AT].contains(&key)
        });
        headers.insert(wire::REDRIVEN.into(), wire::number(redriven));
        direct.send(&target, &message.data, message.properties.clone().with_headers(headers)).await?;
        deadline("basic.ack", ASK, message.ack(BasicAckOptions::default())).await?;
    }
    dead.close().await?;
    match id {
        Some(id) if moved.is_empty() => Err(Error::NoDeadLetter { queue: queue.to_owned(), id: id.to_owned() }),
        _ => Ok(moved.len()),
    }
}

/// Deletes the dead letter of `queue` with `id` for good, and gives it back for the record.
pub async fn drop(broker: &Broker, queue: &str, id: &str) -> Result<DeadLetter, Error> {
    let dead = Dead::open(broker, queue).await?;
    let mut dropped = None;
    while let Some(message) = dead.next().await? {
        if id == message_id(&message) {
            deadline("basic.ack", ASK, message.ack(BasicAckOptions::default())).await?;
            dropped = Some(letter(&message));
            break;
        }
    }
    dead.close().await?;
    dropped.ok_or_else(|| Error::NoDeadLetter { queue: queue.to_owned(), id: id.to_owned() })
}

/// The delivery tag that with `multiple` means all that is not acknowledged.
const EVERYTHING: u64 = 0;

/// A dead-letter queue being looked through. What was taken out and not acknowledged goes back to its place.
struct Dead {
    channel: Channel,
    name: ShortString,
}

impl Dead {
    async fn open(broker: &Broker, queue: &str) -> Result<Self, Error> {
        let name = broker.names().dead(queue)?;
        // A channel of its own: asking for a queue that does not exist ends it.
        let asking = broker.consuming_channel().await?;
        topology::depth(&asking, name.clone()).await?.ok_or_else(|| Error::NoQueue(name.to_string()))?;
        Ok(Self { channel: broker.consuming_channel().await?, name })
    }

    async fn next(&self) -> Result<Option<BasicGetMessage>, Error> {
        let get = self.channel.basic_get(self.name.clone(), BasicGetOptions::default());
        deadline("basic.get", ASK, get).await
    }

    /// Gives the messages back in so many words; those of a channel that merely closes come back some time later.
    async fn close(self) -> Result<(), Error> {
        let all = BasicNackOptions { multiple: true, requeue: true };
        deadline("basic.nack", ASK, self.channel.basic_nack(EVERYTHING, all)).await?;
        deadline("channel.close", ASK, self.channel.close(200, "done".into())).await
    }
}

fn message_id(message: &BasicGetMessage) -> &str {
    message.properties.message_id().as_ref().map_or("", |id| id.as_str())
}

fn letter(message: &BasicGetMessage) -> DeadLetter {
    let headers = wire::headers(&message.properties);
    let reason = wire::get_text(&headers, wire::REASON)
        .or_else(|| wire::get_text(&headers, "x-first-death-reason"))
        .or_else(|| first_death(&headers))
        .unwrap_or_else(|| "unknown".to_owned());
    DeadLetter {
        id: message_id(message).to_owned(),
        event_type: wire::message_type(&message.properties).to_owned(),
        reason,
        died_at: wire::get_text(&headers, wire::DEAD_AT).and_then(|at| at.parse().ok()),
        attempts: wire::attempts(&headers),
        redriven: wire::get_number(&headers, wire::REDRIVEN).unwrap_or(0),
        body: serde_json::from_slice(&message.data)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&message.data).into_owned())),
    }
}

/// The reason in RabbitMQ's `x-death`, an array of tables with the latest death first.
fn first_death(headers: &FieldTable) -> Option<String> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else { return None };
    wire::get_text(death, "reason")
}
