//! The HTTP side of every service: what happens around each request ([`serve`]), error answers
//! ([`problem`]), strict extractors, and the public and private servers.
//!
//! Route tables use `web::resource(path).route(..)` for each path: a resource answers 405 with `Allow` by itself, while
//! `App::route` makes every method a resource of its own and ends in 404.

mod body;
pub mod codes;
mod context;
pub mod dialect;
mod edge;
mod etag;
mod framework;
mod health;
mod idempotency;
mod json;
mod json_shape;
mod metrics;
mod options;
mod page;
mod patch;
mod path;
pub mod problem;
mod query;
pub mod server;
mod stored;
mod validation;

pub use context::{REQUEST_ID, RequestContext, RequestIdText};
pub use dialect::{ErrorForm, error_form};
pub use etag::{IfMatch, etag};
pub use health::{CheckReport, ReadyReport};
pub use idempotency::{IdempotencyKey, body_hash};
pub use json::ValidJson;
pub use options::{BodyLimit, HttpOptions, client_address};
pub use page::{Limit, List, Page};
pub use patch::Patch;
pub use path::PathId;
pub use problem::{Coded, ErrorCode, FieldError, Problem, ProblemBody};
pub use query::ValidQuery;
pub use server::{ServerParts, Servers, serve};
pub use stored::stored_answer;
