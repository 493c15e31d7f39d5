//! What the service does: one use case a file, with plain arguments, for handlers, consumers, jobs and tests.

mod attempts;
mod sessions;
mod tokens;

pub mod apply_membership;
pub mod change_password;
pub mod delete_organization;
pub mod disable_user;
pub mod get_me;
pub mod issue_service_token;
pub mod list_revocations;
pub mod list_sessions;
pub mod log_in;
pub mod log_out;
pub mod refresh_session;
pub mod register_user;
pub mod revoke_session;
pub mod rotate_keys;
pub mod snapshot_users;
pub mod sweep_expired;
pub mod switch_organization;

pub use tokens::{AccessToken, SignIn};
