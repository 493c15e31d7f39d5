//! Queries. Row level security narrows every one of them to the organization and person of the transaction.

pub mod memberships;
pub mod organizations;
pub mod profiles;
pub mod schema;
