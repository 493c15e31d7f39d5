//! An event as an AMQP message: CloudEvents structured mode (there is no official AMQP 0-9-1 binding), its attributes
//! mirrored into the message properties for people and tools that look at queues. Also our own headers.

use chrono::{DateTime, SecondsFormat, Utc};
use contracts::CloudEvent;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::names::short;

const PERSISTENT: u8 = 2;

/// The attempt that the delivery of this message is; absent on the first.
pub(crate) const ATTEMPT: &str = "x-brainops-attempt";
/// Every failed attempt, a JSON array of [`Attempt`].
pub(crate) const ATTEMPTS: &str = "x-brainops-attempts";
/// Why the message is dead.
pub(crate) const REASON: &str = "x-brainops-reason";
/// When it was given up, RFC 3339.
pub(crate) const DEAD_AT: &str = "x-brainops-dead-at";
/// How many times a person sent it back to its queue.
pub(crate) const REDRIVEN: &str = "x-brainops-redriven";

/// An error's text is for a person reading a dead letter, not a log; and a header table must fit into one frame.
const ERROR_BYTES: usize = 500;
/// The latest attempts are kept; redriving starts a new series each time.
const KEPT_ATTEMPTS: usize = 20;

/// One failed attempt to handle a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first delivery.
    pub attempt: u32,
    /// When it failed.
    pub at: DateTime<Utc>,
    /// The error with its causes.
    pub error: String,
}

/// The properties of an event's message.
pub(crate) fn properties(event: &CloudEvent) -> Result<BasicProperties, Error> {
    let mut headers = FieldTable::default();
    if let Some(org) = event.org {
        headers.insert("orgid".into(), text(&org.to_string()));
    }
    let mut properties = BasicProperties::default()
        .with_content_type(contracts::MEDIA_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short(event.id.to_string())?)
        .with_type(short(event.event_type.as_str())?)
        .with_app_id(short(event.service())?)
        .with_timestamp(event.time.timestamp().try_into().unwrap_or(0));
    if let Some(traceparent) = &event.traceparent {
        headers.insert("traceparent".into(), text(traceparent));
        // The trace is what ties an event to the request it came from: W3C `version-trace-parent-flags`.
        if let Some(trace) = traceparent.split('-').nth(1) {
            properties = properties.with_correlation_id(short(trace)?);
        }
    }
    Ok(properties.with_headers(headers))
}

/// The headers of a message; empty when it has none.
pub(crate) fn headers(properties: &BasicProperties) -> FieldTable {
    properties.headers().clone().unwrap_or_default()
}

/// `table` without the keys that `remove` names.
pub(crate) fn without(table: &FieldTable, remove: impl Fn(&str) -> bool) -> FieldTable {
    let mut kept = FieldTable::default();
    for (key, value) in table.inner().iter().filter(|(key, _)| !remove(key.as_str())) {
        kept.insert(key.clone(), value.clone());
    }
    kept
}

/// RabbitMQ's own record of dead lettering (`x-death`, `x-first-death-…`, `x-delivery-count`). It is left behind when a
/// message is published again: kept, it would make the broker see a cycle and drop the message.
pub(crate) fn is_broker_header(key: &str) -> bool {
    key == "x-death"
        || key == "x-delivery-count"
        || key.starts_with("x-first-death-")
        || key.starts_with("x-last-death-")
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

pub(crate) fn number(value: u32) -> AMQPValue {
    AMQPValue::LongLongInt(value.into())
}

pub(crate) fn moment(at: DateTime<Utc>) -> AMQPValue {
    text(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

pub(crate) fn get_text(headers: &FieldTable, key: &str) -> Option<String> {
    match headers.inner().get(key)? {
        AMQPValue::LongString(value) => Some(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        AMQPValue::ShortString(value) => Some(value.to_string()),
        _ => None,
    }
}

pub(crate) fn get_number(headers: &FieldTable, key: &str) -> Option<u32> {
    headers.inner().get(key)?.as_integer()
}

/// The attempt this delivery is, from 1.
pub(crate) fn attempt(headers: &FieldTable) -> u32 {
    get_number(headers, ATTEMPT).unwrap_or(1).max(1)
}

/// The failed attempts so far. A header that another hand damaged counts as none: it is history, not state.
pub(crate) fn attempts(headers: &FieldTable) -> Vec<Attempt> {
    get_text(headers, ATTEMPTS).and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

/// `error` cut at a character to what a header may hold.
pub(crate) fn summary(error: &str) -> String {
    let end = (0..=ERROR_BYTES.min(error.len())).rev().find(|&end| error.is_char_boundary(end)).unwrap_or(0);
    error[..end].to_owned()
}

/// `headers` with `failed` added to the attempts.
pub(crate) fn with_attempt(mut headers: FieldTable, failed: Attempt) -> Result<FieldTable, Error> {
    let mut attempts = attempts(&headers);
    attempts.push(failed);
    attempts.drain(..attempts.len().saturating_sub(KEPT_ATTEMPTS));
    let json = serde_json::to_string(&attempts).map_err(Error::Encode)?;
    headers.insert(ATTEMPTS.into(), text(&json));
    Ok(headers)
}

/// The type of a message as its producer named it, for metrics and for people.
pub(crate) fn message_type(properties: &BasicProperties) -> &str {
    properties.kind().as_ref().map_or("", ShortString::as_str)
}

trait AsInteger {
    fn as_integer(&self) -> Option<u32>;
}

impl AsInteger for AMQPValue {
    /// Clients in other languages choose the width of an integer by its value.
    fn as_integer(&self) -> Option<u32> {
        match *self {
            Self::ShortShortInt(n) => n.try_into().ok(),
            Self::ShortShortUInt(n) => Some(n.into()),
            Self::ShortInt(n) => n.try_into().ok(),
            Self::ShortUInt(n) => Some(n.into()),
            Self::LongInt(n) => n.try_into().ok(),
            Self::LongUInt(n) => Some(n),
            Self::LongLongInt(n) => n.try_into().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(attempt: u32) -> Attempt {
        Attempt { attempt, at: DateTime::UNIX_EPOCH, error: format!("error {attempt}") }
    }

    #[test]
    fn attempts_pile_up() {
        let headers = with_attempt(FieldTable::default(), failed(1)).unwrap();
        let headers = with_attempt(headers, failed(2)).unwrap();
        assert_eq!(attempts(&headers), [failed(1), failed(2)]);
        let headers = (3..=50).fold(headers, |headers, attempt| with_attempt(headers, failed(attempt)).unwrap());
        assert_eq!(
            attempts(&headers).iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(),
            (31..=50).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_first_delivery_is_attempt_one_whatever_the_width() {
        let mut headers = FieldTable::default();
        assert_eq!(attempt(&headers), 1);
        for value in [AMQPValue::ShortShortInt(3), AMQPValue::LongInt(3), AMQPValue::LongLongInt(3), number(3)] {
            headers.insert(ATTEMPT.into(), value);
            assert_eq!(attempt(&headers), 3);
        }
        headers.insert(ATTEMPT.into(), AMQPValue::LongInt(-7));
        assert_eq!(attempt(&headers), 1);
    }

    #[test]
    fn a_summary_is_cut_between_characters() {
        assert_eq!(summary("short"), "short");
        let cut = summary(&"ü".repeat(400));
        assert_eq!(cut, "ü".repeat(250));
        assert_eq!(summary(&format!("x{}", "ü".repeat(400))).len(), 499);
    }

    #[test]
    fn what_the_broker_wrote_is_left_behind() {
        let mut headers = FieldTable::default();
        for key in ["x-death", "x-first-death-queue", "x-delivery-count", "orgid", ATTEMPTS] {
            headers.insert(key.into(), text("v"));
        }
        let kept = without(&headers, is_broker_header);
        assert_eq!(kept.inner().keys().map(ShortString::as_str).collect::<Vec<_>>(), ["orgid", ATTEMPTS]);
    }
}
