//! The HTTP side of every service: what happens around each request ([`edge`]), error answers ([`problem`]), strict
//! extractors, and the public and private servers.
//!
//! An actix application gets all of it by [`application`]; the extractors work without it too, as in unit tests.

pub mod codes;
mod etag;
mod idempotency;
mod json;
mod json_shape;
mod options;
mod page;
mod patch;
mod path;
pub mod problem;
mod query;
mod validation;

pub use etag::{IfMatch, etag};
pub use idempotency::{IdempotencyKey, body_hash};
pub use json::ValidJson;
pub use options::{HttpOptions, client_address};
pub use page::{Limit, List, Page};
pub use patch::Patch;
pub use path::PathId;
pub use problem::{Coded, ErrorCode, FieldError, Problem, ProblemBody};
pub use query::ValidQuery;
