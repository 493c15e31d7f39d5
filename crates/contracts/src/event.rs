//! What makes a type an event.

use serde::{Serialize, de::DeserializeOwned};

/// A fact that a service publishes. Implemented by generated code for every top-level message of `events.proto`.
///
/// Serialization is canonical proto3 JSON with the field names of the proto file; unknown fields are skipped when
/// reading, so that a producer may add a field without breaking anyone.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// CloudEvents `type`, such as `brainops.auth.user_registered.v1`.
    const TYPE: &'static str;
    /// The one service that publishes it, such as `auth`.
    const SERVICE: &'static str;
    /// What the event is about, such as `user`: the name of the message's first field without `_id`.
    const AGGREGATE: &'static str;

    /// Id of the aggregate: the value of the message's first field. CloudEvents `subject`.
    fn subject(&self) -> &str;
}

/// One row of the [`CATALOGUE`](crate::CATALOGUE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKind {
    /// CloudEvents `type`; [`Event::TYPE`].
    pub event_type: &'static str,
    /// Publishing service; [`Event::SERVICE`].
    pub service: &'static str,
    /// What the event is about; [`Event::AGGREGATE`].
    pub aggregate: &'static str,
    /// First sentences of the message's comment, on one line.
    pub summary: &'static str,
}
