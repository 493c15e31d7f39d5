//! Private PostgreSQL and RabbitMQ processes for `brainops up` and for the tests.
//!
//! Everything listens on loopback only, on ports of its own, under a directory of its own; a server that the
//! machine already runs is never touched. Three invariants hold:
//!
//! - **No orphans.** Each server lives in the process group of a *guard*, a few lines of shell that read a pipe
//!   which the parent holds open. When the parent ends, however it ends, the pipe closes and the guard ends the group.
//! - **Nothing stale blocks a start.** Should even the guard have been killed, the next start in the same directory
//!   ends what was left over, but only a process whose command line proves that it is ours.
//! - **Ready means ready.** A start returns after the server has answered in its own protocol.
//!
//! All calls block; an async caller moves them to a blocking thread.

mod error;
mod guard;
mod ports;
mod postgres;
mod probe;
mod process;
mod programs;
mod rabbit;
mod settings;
mod shared;
mod user;
mod wait;

pub use error::Error;
pub use postgres::{Postgres, PostgresOptions};
pub use programs::{PostgresPrograms, RabbitPrograms};
pub use rabbit::Rabbit;
pub use shared::{AMQP_URL_VARIABLE, DATABASE_URL_VARIABLE, Shared, shared, shared_dir};
