//! Use cases.

mod admission;
pub mod apply_team_member;
mod bill;
mod change;
pub mod complete_chat;
pub mod count_tokens;
pub mod create_model;
pub mod create_provider;
pub mod create_quota;
pub mod delete_model;
pub mod delete_provider;
pub mod delete_quota;
pub mod embed_texts;
pub mod forget_team;
pub mod get_provider;
mod heard;
pub mod list_model_records;
pub mod list_models;
pub mod list_providers;
pub mod list_quotas;
mod live_answer;
mod model_routes;
mod recall;
mod refusals;
mod replay;
pub mod report_usage;
pub mod reseal_keys;
pub mod stream_chat;
mod tally;
pub mod test_provider;
pub mod turns;
pub mod update_model;
pub mod update_provider;
pub mod update_quota;

pub use admission::{About, ChatCall};
pub use live_answer::LiveAnswer;
