//! Queries. Row level security narrows every one of them to the organization of the transaction.

pub mod schema;
pub mod widgets;
