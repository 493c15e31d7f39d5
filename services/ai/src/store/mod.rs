//! Rows and queries. Row level security narrows every one of them to the organization of the transaction and to what
//! belongs to the whole installation.

pub mod leases;
pub mod models;
pub mod providers;
pub mod quotas;
pub mod routes;
pub mod schema;
pub mod team_members;
pub mod tombstones;
pub mod turns;
pub mod usage;

use db::diesel::result::Error;

/// A row holds what this version cannot read.
fn unreadable(what: &'static str) -> Error {
    Error::DeserializationError(what.into())
}
