//! The runtime that every service shares: start and end of the process, configuration, telemetry, the HTTP server with
//! its middleware, problem documents, identity of callers, and the ports (time, ids, outgoing HTTP) that tests replace.
//!
//! A service implements [`Service`]; its `main.rs` calls [`main`]. The standalone binary and the tests call [`start`],
//! as often as they like in one process.

mod allocator;
pub mod auth;
pub mod clock;
pub mod config;
pub mod http;
pub mod ids;
pub mod lifecycle;
pub mod metrics;
pub mod openapi;
pub mod outbound;
mod process;
pub mod seal;
mod secret;
mod service;
mod start;
pub mod tasks;
pub mod telemetry;
pub mod tls;
mod version;

pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{ConfigErrors, Env, Environment, Settings};
pub use ids::{Ids, NewId, RandomIds, SequenceIds};
pub use lifecycle::{Lifecycle, Phase};
pub use outbound::{InternalClient, Outbound};
pub use process::{main, main_from};
pub use secret::Secret;
pub use service::{Boot, Core, HealthCheck, Ports, Routes, Running, Service, Task};
pub use start::{Started, start};
pub use tokio_util::sync::CancellationToken;
pub use version::{ExpectedVersion, VersionMismatch};

pub use auth::{Principal, ServicePrincipal, Verifier};
pub use http::{Coded, ErrorCode, FieldError, HttpOptions, Problem};
