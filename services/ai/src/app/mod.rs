//! Use cases.

mod admission;
mod bill;
pub mod complete_chat;
pub mod count_tokens;
pub mod embed_texts;
pub mod list_models;
mod live_answer;
mod refusals;
mod replay;
pub mod stream_chat;
mod tally;

pub use admission::{About, ChatCall};
pub use live_answer::LiveAnswer;
