//! What services agree on and nothing else: typed ids, roles and scopes, the event contracts and their envelope.
//!
//! No I/O happens here. Event payloads are generated from `proto/` by `cargo xtask codegen`; the guide for consumers
//! in other languages is `docs/events.md`.

mod cloud_event;
mod event;
mod generated;
mod ids;
mod origin;
mod role;
mod scope;
mod timestamp;

pub use cloud_event::{
    CloudEvent, DATA_CONTENT_TYPE, DecodeError, EnvelopeError, MEDIA_TYPE, data_schema, routing_key, source,
};
pub use event::{Event, EventKind};
pub use generated::*;
pub use ids::*;
pub use origin::Origin;
pub use role::{Role, UnknownRole};
pub use scope::{Scope, ScopeSet, UnknownScope};
pub use timestamp::Timestamp;
