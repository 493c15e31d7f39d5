//! What tests stand on: a database for each test, a service started for real on its own port, tokens for anybody, and a
//! recording of the events that came of it. PostgreSQL and RabbitMQ are real; only what lies across the wire is faked, by
//! local servers that check what they are sent.
//!
//! Everything here panics when it cannot do its part: a test without its ground has failed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test without its ground has failed"
)]

mod actor;
mod answer;
mod app;
mod auth_stub;
mod database;
mod infra;
mod json;
mod matrix;
pub mod providers;
mod psql;
mod recorder;
mod schema_dump;
mod snapshot;

pub use actor::Actor;
pub use answer::Answer;
pub use app::{TestApp, TestAppBuilder};
pub use auth_stub::AuthStub;
pub use database::TestDb;
pub use infra::infra;
pub use json::merged;
pub use matrix::{Operation, operations};
pub use psql::psql;
pub use recorder::Recorder;
pub use schema_dump::schema_dump;
pub use snapshot::redacted;

/// Where every test's clock starts unless it is told otherwise: noon of a day in the past, so that nothing depends on the
/// day the tests run.
pub fn test_start() -> chrono::DateTime<chrono::Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a valid time")
}
