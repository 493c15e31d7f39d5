//! The envelope of every event: CloudEvents 1.0 in structured JSON mode.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::Value;
use uuid::Uuid;

use crate::{Event, EventId, OrgId, Origin};

/// Content type of a whole message (`content_type` of the AMQP properties).
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// Content type of [`CloudEvent::data`].
pub const DATA_CONTENT_TYPE: &str = "application/json";

const SPEC_VERSION: &str = "1.0";
const TYPE_PREFIX: &str = "brainops.";
const SOURCE_PREFIX: &str = "/brainops/";
/// Decimal digits of `i64::MAX`.
const SEQUENCE_DIGITS: usize = 19;

/// The routing key of an event type: the type without its `brainops.` prefix.
pub fn routing_key(event_type: &str) -> &str {
    event_type.strip_prefix(TYPE_PREFIX).unwrap_or(event_type)
}

/// CloudEvents `source` of a service's events: `/brainops/auth`.
pub fn source(service: &str) -> String {
    format!("{SOURCE_PREFIX}{service}")
}

/// CloudEvents `dataschema` of an event type. A name, not an address: `docs/asyncapi.json` gives the JSON Schema for it.
pub fn data_schema(event_type: &str) -> String {
    format!("urn:brainops:event:{}", routing_key(event_type))
}

/// One event as it travels. Attributes that follow from others (`specversion`, `datacontenttype`, `dataschema`) are not
/// kept: they are written on the way out and checked on the way in.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudEvent {
    /// Unique name of this occurrence; a redelivery has the same one, so consumers deduplicate by it.
    pub id: EventId,
    /// Who published it: `/brainops/<service>`.
    pub source: String,
    /// What happened: `brainops.<service>.<event>.v<n>` (attribute `type`).
    pub event_type: String,
    /// Id of the aggregate that it is about.
    pub subject: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// The organization it happened in (extension `orgid`).
    pub org: Option<OrgId>,
    /// The user or service account that caused it (extension `actorid`).
    pub actor: Option<Uuid>,
    /// W3C trace context of the work that caused it (extension `traceparent`).
    pub traceparent: Option<String>,
    /// Version of the aggregate after the event (extension `sequence`), never negative.
    pub sequence: i64,
    /// The payload: the event's own message as a JSON object.
    pub data: Value,
}

/// A message is not an event of ours.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, a required attribute missing, or an attribute of the wrong kind.
    #[error("not a CloudEvent in JSON")]
    Json(#[source] serde_json::Error),
    /// An attribute has a value that it must not have.
    #[error("CloudEvents attribute `{attribute}` must be {expected}")]
    Attribute {
        /// The attribute's name on the wire.
        attribute: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// A payload cannot be read as the event that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The envelope holds another type of event.
    #[error("expected an event of type {expected}, got {actual}")]
    Type {
        /// [`Event::TYPE`] of the type asked for.
        expected: &'static str,
        /// The envelope's type.
        actual: String,
    },
    /// The payload does not fit the message.
    #[error("payload is not a {0}")]
    Data(&'static str, #[source] serde_json::Error),
}

impl CloudEvent {
    /// Puts an event into its envelope. `sequence` is the aggregate's version after the change.
    ///
    /// Fails only when the event holds a timestamp that no calendar can say.
    pub fn new<E: Event>(id: EventId, origin: &Origin, sequence: i64, event: &E) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id,
            source: source(E::SERVICE),
            event_type: E::TYPE.to_owned(),
            subject: event.subject().to_owned(),
            time: origin.at,
            org: origin.org,
            actor: origin.actor,
            traceparent: origin.traceparent.clone(),
            sequence,
            data: serde_json::to_value(event)?,
        })
    }

    /// Reads the body of a message.
    pub fn from_json(body: &[u8]) -> Result<Self, EnvelopeError> {
        let wire: Wire<'_> = serde_json::from_slice(body).map_err(EnvelopeError::Json)?;
        wire.try_into()
    }

    /// Writes the body of a message. Fails when `time` or `sequence` is outside of what the envelope can say.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The payload as the event `E`; an error when the envelope holds another type.
    pub fn decode<E: Event>(&self) -> Result<E, DecodeError> {
        if self.event_type != E::TYPE {
            return Err(DecodeError::Type { expected: E::TYPE, actual: self.event_type.clone() });
        }
        E::deserialize(&self.data).map_err(|error| DecodeError::Data(E::TYPE, error))
    }

    /// The key it is published with.
    pub fn routing_key(&self) -> &str {
        routing_key(&self.event_type)
    }

    /// The service that published it.
    pub fn service(&self) -> &str {
        self.source.strip_prefix(SOURCE_PREFIX).unwrap_or(&self.source)
    }
}

/// The attributes by their names on the wire. Attributes that are not named here are skipped when reading, so that a
/// producer may add an extension.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    specversion: Cow<'a, str>,
    id: EventId,
    source: Cow<'a, str>,
    r#type: Cow<'a, str>,
    subject: Cow<'a, str>,
    time: DateTime<Utc>,
    datacontenttype: Cow<'a, str>,
    dataschema: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orgid: Option<OrgId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actorid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    /// Padded with zeros: the CloudEvents sequence extension asks for a text that sorts like the number.
    sequence: Cow<'a, str>,
    data: Cow<'a, Value>,
}

impl Serialize for CloudEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.sequence < 0 {
            return Err(ser::Error::custom("CloudEvents attribute `sequence` must not be negative"));
        }
        Wire {
            specversion: SPEC_VERSION.into(),
            id: self.id,
            source: self.source.as_str().into(),
            r#type: self.event_type.as_str().into(),
            subject: self.subject.as_str().into(),
            time: self.time,
            datacontenttype: DATA_CONTENT_TYPE.into(),
            dataschema: data_schema(&self.event_type).into(),
            orgid: self.org,
            actorid: self.actor,
            traceparent: self.traceparent.as_deref().map(Cow::Borrowed),
            sequence: format!("{:0SEQUENCE_DIGITS$}", self.sequence).into(),
            data: Cow::Borrowed(&self.data),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CloudEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Wire::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

impl TryFrom<Wire<'_>> for CloudEvent {
    type Error = EnvelopeError;

    fn try_from(wire: Wire<'_>) -> Result<Self, EnvelopeError> {
        let check = |attribute, holds: bool, expected| {
            if holds { Ok(()) } else { Err(EnvelopeError::Attribute { attribute, expected }) }
        };
        check("specversion", wire.specversion == SPEC_VERSION, "1.0")?;
        let service = service_of(&wire.r#type)
            .ok_or(EnvelopeError::Attribute { attribute: "type", expected: "brainops.<service>.<event>.v<number>" })?;
        check("source", wire.source.strip_prefix(SOURCE_PREFIX) == Some(service), "/brainops/<the service in `type`>")?;
        check("subject", !wire.subject.is_empty(), "the id of the aggregate")?;
        check("datacontenttype", wire.datacontenttype == DATA_CONTENT_TYPE, DATA_CONTENT_TYPE)?;
        check("dataschema", wire.dataschema == data_schema(&wire.r#type), "urn:brainops:event:<routing key>")?;
        check("data", wire.data.is_object(), "a JSON object")?;
        let sequence = parse_sequence(&wire.sequence)
            .ok_or(EnvelopeError::Attribute { attribute: "sequence", expected: "19 decimal digits" })?;
        Ok(Self {
            id: wire.id,
            source: wire.source.into_owned(),
            event_type: wire.r#type.into_owned(),
            subject: wire.subject.into_owned(),
            time: wire.time,
            org: wire.orgid,
            actor: wire.actorid,
            traceparent: wire.traceparent.map(Cow::into_owned),
            sequence,
            data: wire.data.into_owned(),
        })
    }
}

/// The service in `brainops.<service>.<event>.v<number>`; `None` when the text has another shape.
fn service_of(event_type: &str) -> Option<&str> {
    let is_word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut parts = event_type.strip_prefix(TYPE_PREFIX)?.split('.');
    let (service, event, version) = (parts.next()?, parts.next()?, parts.next()?);
    let number = version.strip_prefix('v')?;
    let is_version =
        !number.starts_with('0') && number.parse::<u32>().is_ok() && number.bytes().all(|b| b.is_ascii_digit());
    (parts.next().is_none() && is_word(service) && is_word(event) && is_version).then_some(service)
}

fn parse_sequence(text: &str) -> Option<i64> {
    let is_padded = text.len() == SEQUENCE_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    if is_padded { text.parse().ok() } else { None }
}
