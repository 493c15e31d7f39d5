//! `google.protobuf.Timestamp` in its canonical JSON form.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// A moment in an event payload: `google.protobuf.Timestamp`, in JSON an RFC 3339 text in UTC that ends in `Z`.
///
/// Ours because the ready-made one writes `+00:00`, and the canonical proto3 JSON mapping says `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Message)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds past the second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        // A leap second is written as nanos past one second by chrono; protobuf smears, so it is cut to the last nanosecond.
        let nanos = at.timestamp_subsec_nanos().min(999_999_999);
        Self { seconds: at.timestamp(), nanos: i32::try_from(nanos).unwrap_or(i32::MAX) }
    }
}

/// Seconds or nanoseconds are outside of what a calendar can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timestamp is out of range")]
pub struct OutOfRange;

impl TryFrom<Timestamp> for DateTime<Utc> {
    type Error = OutOfRange;

    fn try_from(value: Timestamp) -> Result<Self, OutOfRange> {
        let nanos = u32::try_from(value.nanos).map_err(|_| OutOfRange)?;
        Self::from_timestamp(value.seconds, nanos).ok_or(OutOfRange)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = DateTime::<Utc>::try_from(*self).map_err(ser::Error::custom)?;
        serializer.collect_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rfc3339;

        impl de::Visitor<'_> for Rfc3339 {
            type Value = Timestamp;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an RFC 3339 timestamp")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                let at = DateTime::parse_from_rfc3339(text)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(at.to_utc().into())
            }
        }

        deserializer.deserialize_str(Rfc3339)
    }
}
