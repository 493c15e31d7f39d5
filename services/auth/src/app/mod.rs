//! What the service does: one use case a file, with plain arguments, for handlers, consumers, jobs and tests.

mod api_keys;
mod attempts;
mod sessions;
mod tokens;

pub mod apply_membership;
pub mod change_password;
pub mod create_api_key;
pub mod delete_organization;
pub mod disable_user;
pub mod end_replaced_keys;
pub mod exchange_api_key;
pub mod get_api_key;
pub mod get_me;
pub mod issue_service_token;
pub mod list_api_keys;
pub mod list_revocations;
pub mod list_sessions;
pub mod log_in;
pub mod log_out;
pub mod refresh_session;
pub mod register_user;
pub mod revoke_api_key;
pub mod revoke_session;
pub mod rotate_api_key;
pub mod rotate_keys;
pub mod snapshot_users;
pub mod sweep_expired;
pub mod switch_organization;
pub mod update_api_key;
pub mod write_key_uses;

pub use tokens::{AccessToken, SignIn};
