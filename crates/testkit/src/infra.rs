//! The servers that all tests of a run share.

use std::sync::OnceLock;

use localinfra::Shared;

static SHARED: OnceLock<Shared> = OnceLock::new();

/// PostgreSQL and RabbitMQ; joined, or started by whoever comes first. They stay as long as this process does.
pub fn infra() -> &'static Shared {
    SHARED.get_or_init(|| localinfra::shared(localinfra::shared_dir()).expect("PostgreSQL and RabbitMQ for the tests"))
}
