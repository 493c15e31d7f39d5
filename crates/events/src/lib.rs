#![doc = include_str!("../README.md")]

mod backoff;
mod broadcast;
mod broker;
mod consumer;
mod delivery;
pub mod dlq;
mod error;
mod failure;
mod metrics;
mod names;
mod publisher;
mod relay;
mod revocations;
mod session;
mod settings;
mod tail;
pub mod tools;
mod topology;
mod wire;

pub use broadcast::{Broadcast, broadcast};
pub use broker::Broker;
pub use consumer::{Consumer, ConsumerSpec, DELAYS};
pub use delivery::{Delivery, Handler};
pub use error::Error;
pub use failure::Failure;
pub use relay::Relay;
pub use revocations::{Revocation, RevocationKind, Revocations, revocations, revocations_from};
pub use settings::Settings;
pub use tail::Tail;
pub use wire::Attempt;
